import sys

from leakscan.cli import main

sys.exit(main())
