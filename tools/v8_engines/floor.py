"""What reading the JSON alone takes in Python: `floor.py load FILE` prints the number of nodes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

print(json.loads(Path(sys.argv[2]).read_bytes())["snapshot"]["node_count"])
