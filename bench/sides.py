"""Whether models tell left from right: which way told things go, and how wrong a text is with its sides swapped.

python bench/sides.py [MODEL ...] [--clips N]

The first table counts clips of prompts that tell a side, half of them left, by what the detector sees. The second is of
held-out clips whose caption tells a side: the velocity's error, and what swapping left and right adds to it. A model
that reads sides goes the told way; one that does not goes either way as often, and swapping adds nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from velocity import FIRST_SEED, clean_and_noise, error

from sorairo.evals.detector import Detector, load_detector
from sorairo.evals.evaluation import LIKE, sample_clips
from sorairo.evals.judgement import JUDGES
from sorairo.evals.statements import Noun, Statement
from sorairo.models.dit import Text
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.training.dit_loop import SIDES, sides_swapped
from sorairo.world import caption, make_clip

PROMPTS = {
    "rolls": ("direction", "a {color} ball rolls to the {side} on wood"),
    "enters": ("enter", "a {color} ball rolls in from the {side}, on a grey floor"),
    "pan": ("camera", "a {color} cube on grass, the camera pans to the {side}"),
    "orbit": ("camera", "a {color} cube on grass, the camera orbits to the {side}"),
}
COLORS = ("red", "blue", "green", "yellow", "orange", "purple", "cyan", "pink")
LEVELS = (0.6, 0.85, 0.95, 0.98, 0.99)


def ways(bundle: ModelBundle, detector: Detector, number: int) -> list[str]:
    """Of the clips of each prompt: how many go the told way / the other / neither."""
    counts = []
    for name, (fact, prompt) in PROMPTS.items():
        told = [(COLORS[index % len(COLORS)], tuple(SIDES)[index % 2]) for index in range(number)]
        requests = [
            replace(LIKE, prompt=prompt.format(color=color, side=side), seed=seed, model=bundle.name)
            for seed, (color, side) in enumerate(told)
        ]
        seen = {True: 0, False: 0}
        for (color, side), clip in zip(told, sample_clips(requests, bundle, batch_size=1), strict=True):
            observed, noun = detector.observe(clip), Noun() if fact == "camera" else Noun(color, "sphere")
            for way in (side, SIDES[side]):
                value = f"{name} {way}" if fact == "camera" else way
                if JUDGES[fact](Statement(fact, noun, value=value), observed):
                    seen[way == side] += 1
                    break
        counts.append(f"{seen[True]} / {seen[False]} / {number - sum(seen.values())}")
    return counts


@torch.inference_mode()
def swapping(bundle: ModelBundle, number: int) -> list[str]:
    """Of held-out clips whose captions tell a side: error, and what the swapped caption adds, at each of the levels."""
    rows, seed = list[list[list[float]]](), FIRST_SEED
    while len(rows) < number:
        seed += 1
        clip = make_clip(seed, NATIVE_BUCKETS[0], split="test")
        text = caption(clip, "medium", np.random.default_rng(seed)).text
        if sides_swapped(text) == text:
            continue
        states, mask = bundle.text_encoder([text, sides_swapped(text)])
        clean, noise = clean_and_noise(bundle, clip)
        both = [Text(states[index : index + 1], mask[index : index + 1, None]) for index in (0, 1)]
        rows.append([[error(bundle, clean, noise, each, level) for level in LEVELS] for each in both])
    own, swapped = np.mean(rows, axis=0)
    return [f"{true:.3f} {wrong - true:+.4f}" for true, wrong in zip(own, swapped, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=["sorairo-base"])
    parser.add_argument("--clips", type=int, default=24)
    options = parser.parse_args()
    bundles, detector = [load_bundle(model) for model in options.models], load_detector()
    print(f"| told way / other / neither | {' | '.join(PROMPTS)} |\n{'| --- ' * (1 + len(PROMPTS))}|")
    for bundle in bundles:
        print(f"| `{bundle.weights_sha256[:12]}` | {' | '.join(ways(bundle, detector, options.clips))} |", flush=True)
    print(f"\n| error, added by swapping | {' | '.join(map(str, LEVELS))} |\n{'| --- ' * (1 + len(LEVELS))}|")
    for bundle in bundles:
        print(f"| `{bundle.weights_sha256[:12]}` | {' | '.join(swapping(bundle, options.clips))} |", flush=True)


if __name__ == "__main__":
    main()
