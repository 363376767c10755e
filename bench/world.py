"""Frames per second of the world's renderer, and of MuJoCo's own on the same bodies. Prints rows; checks nothing.

python bench/world.py

One process, taking turns; MuJoCo's OpenGL (EGL) may use more cores. It draws one lamp's hard shadows, 4 samples for
edges; ours has soft shadows, reflections and anti-aliasing. Where there is no OpenGL, its rows say so.
"""

from __future__ import annotations

import os
import time
from statistics import median

os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco

from sorairo.shapes import NATIVE_BUCKETS, NATIVE_FPS, VideoShape
from sorairo.world import WorldClip, make_clip, render
from sorairo.world.physics import model_xml

SEEDS = range(6)
LIGHT = (
    '<visual><quality shadowsize="2048" offsamples="4"/></visual><worldbody>'
    '<light pos="-3 -3 6" dir="1 1 -2" castshadow="true"/>'
)


def ours(clip: WorldClip) -> float:
    """Frames per second of a clip."""
    start = time.perf_counter()
    return len(render(clip)[0]) / (time.perf_counter() - start)


def theirs(clip: WorldClip) -> float:
    """The same, without the time that moving the bodies takes."""
    scene = model_xml(clip.objects, 1 / NATIVE_FPS / 50).replace("<worldbody>", LIGHT)
    model = mujoco.MjModel.from_xml_string(scene)
    data, spent = mujoco.MjData(model), 0.0
    with mujoco.Renderer(model, clip.shape.height, clip.shape.width) as renderer:
        for _ in range(clip.shape.num_frames):
            mujoco.mj_step(model, data, 50)
            start = time.perf_counter()
            renderer.update_scene(data)
            renderer.render()
            spent += time.perf_counter() - start
    return clip.shape.num_frames / spent


def row(shape: VideoShape) -> str:
    clips = [make_clip(seed, shape) for seed in SEEDS]
    render(clips[0])  # compiles
    own, other = [], []
    for clip in clips:
        own.append(ours(clip))
        try:
            other.append(theirs(clip))
        except Exception:  # whatever the graphics say where there are none
            other.append(float("nan"))
    told = f"{median(other):.1f} | {median(own) / median(other):.2f}" if median(other) > 0 else "no OpenGL here | -"
    return f"| {shape.width}x{shape.height} | {median(own):.1f} ({min(own):.1f} to {max(own):.1f}) | {told} |"


def main() -> None:
    print("| size | our frames per second, median (from, to) | MuJoCo's | ours / MuJoCo's |")
    print("| --- | --- | --- | --- |")
    for shape in NATIVE_BUCKETS:
        print(row(shape), flush=True)


if __name__ == "__main__":
    main()
