"""The published place of `findings_json`."""

from leakscan.report.share.json import findings_json as findings_json
