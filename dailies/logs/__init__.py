"""Log lines as JSON objects (`DAILIES_LOG=json`), for people who collect logs from many machines."""

from dailies.logs.lines import JsonOnStderr, log_as_json, stderr_as_asked, wants_json
from dailies.logs.redaction import Redaction, hidden
from dailies.logs.subject import about

__all__ = ["JsonOnStderr", "Redaction", "about", "hidden", "log_as_json", "stderr_as_asked", "wants_json"]
