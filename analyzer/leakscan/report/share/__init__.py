"""Answers for other programs and for strangers: JSON, Markdown, CI formats, capsules, redaction."""
