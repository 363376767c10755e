#!/bin/sh
# One command from nothing to a model on one card: recipes/gpu.sh [FOLDER]. Repeat it to go on after a stop.
# Also leaves the weights in pieces of 16 MiB, for ways out that take no larger files; join them with
#     cat dit.safetensors.part-* > dit.safetensors
set -eu
folder=${1:-runs/gpu}
sorairo train "$(dirname "$0")/gpu.toml" --out "$folder"
cd "$folder/sorairo-gpu"
rm -f ./*.part-*
for file in *.safetensors; do
    split --bytes=16M --numeric-suffixes "$file" "$file.part-"
done
sha256sum ./*.safetensors ./*.part-* > SHA256SUMS
