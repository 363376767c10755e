"""A process of its own that decodes one file from a stranger: it limits itself first, and loads no more than it needs.

Run as `python -m sorairo.server.decoder RECEIVED FOLDER`: writes media.mp4 or media.png into the folder. Exit code 2:
the last line of stderr is for the user. Never reaches a path or an address that the file names (see `sorairo.media`).
"""

from __future__ import annotations

import sys
from pathlib import Path

MEMORY_BYTES, PROCESSOR_SECONDS = 4 * 2**30, 60


def main(received: Path, folder: Path) -> None:
    """Raises ValueError of one line for what is no video or picture, or passes a limit."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    from sorairo.media import read_any, write_mp4, write_png

    frames, fps = read_any(received)
    if not fps:
        write_png(folder / "media.png", frames[0])
        return
    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    write_mp4(folder / "media.mp4", frames[:, :height, :width], width=width, height=height, fps=fps)


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
