"""The scripts of ``hostile_scripts.js``: one operation each."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).with_name("hostile_scripts.js").read_text()
NAMES = list(re.findall(r"^  (?:async )?([a-z_]+)(?: \(|:)", SOURCE, re.MULTILINE))
# Where their tx may have put something; dots are names like others.
WRITTEN = ("/own", "/own/x", "/a/../.sys/x")
# Native work that fuel does not see; the machine ends it and nothing is decided.
UNDECIDED = {"string_doubling", "regex_nested", "regex_alternatives"}
