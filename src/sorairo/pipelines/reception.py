"""A process of its own that decodes one file from a stranger: it limits itself first, and loads no more than it needs.

Run as `python -m sorairo.pipelines.reception RECEIVED media`: writes media.mp4 or media.png beside it, with `character`
a clip's first frame as well; with `credentials` it prints what the file's content credentials are worth, as JSON. Exit
code 2: the last line of stderr is for the user. Never reaches a path or an address that the file names (see
`sorairo.media`, `sorairo.provenance`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sorairo.confinement import Confines, confine


def main(received: Path, what: str) -> None:
    """Raises ValueError of one line for what is no video or picture, or passes a limit."""
    confine(Confines())
    if what == "credentials":
        from sorairo.provenance import verify

        print(json.dumps(vars(verify(received))))
        return
    from sorairo.media import read_any, write_mp4, write_png

    frames, fps = read_any(received)
    if not fps or what == "character":
        write_png(received.with_name("media.png"), frames[0])
    if not fps:
        return
    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    write_mp4(received.with_name("media.mp4"), frames[:, :height, :width], width=width, height=height, fps=fps)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
