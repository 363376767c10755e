#!/bin/sh
# The built-in transformer on one card: recipes/card/run.sh FOLDER [SECONDS]. Clips are made while it trains.
# Leaves in FOLDER dit.safetensors, log.jsonl, both programs' logs, and pieces of 15 MiB, for ways out that take no
# larger files; join them with
#     cat dit.safetensors.part-* > dit.safetensors
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/chunks"
folder=$(cd "$1" && pwd)
seconds=${2:-800}
chunks=$folder/chunks
rm -f "$chunks/stop"
export OMP_NUM_THREADS=1 # each of the processes that make scenes has a core of its own
nice -n 10 python3 "$here/clips.py" "$chunks" > "$folder/clips.log" 2>&1 &
trap 'touch "$chunks/stop"; wait; rm -rf "$chunks"' EXIT
python3 "$here/train.py" "$chunks" "$folder" --seconds "$seconds" > "$folder/train.log" 2>&1
cd "$folder"
rm -f ./*.part-*
split --bytes=15M --numeric-suffixes dit.safetensors dit.safetensors.part-
sha256sum dit.safetensors ./*.part-* > SHA256SUMS
