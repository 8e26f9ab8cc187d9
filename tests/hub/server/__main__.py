"""Start the Hub: ``python -m tests.hub.server ROOT``; prints its two origins, ends when stdin does."""

import json
import sys
from pathlib import Path

from tests.hub.server.control import Hub
from tests.hub.server.web import Server


def main(root: Path) -> None:
    """Serve on two free ports of the loopback address until stdin is closed."""
    hub = Hub(root)
    servers = [Server(hub), Server(hub)]
    origins = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    hub.second_origin = origins[1]
    for server in servers:
        server.start()
    sys.stdout.write(json.dumps(origins) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # whoever started us went away, or wants us to end


main(Path(sys.argv[1]))
