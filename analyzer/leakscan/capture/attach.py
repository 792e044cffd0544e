"""The published place of `Attachment`."""

from leakscan.capture.process.attach import Attachment as Attachment
from leakscan.capture.process.attach import Taken as Taken
