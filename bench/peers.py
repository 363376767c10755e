"""Our networks against the classes of diffusers at equal size, taking turns. Prints tables; checks nothing.

PYTHONPATH=FOLDER python bench/peers.py [--float32] [--transformers]    # bench/performance.py says with what

Weights are random: only time is measured. --float32: as on a processor without products of bfloat16;
--transformers: leaves the autoencoders out.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from sorairo.config import DiTConfig, VideoVAEConfig
from sorairo.data.latent_dataset import Batch
from sorairo.models.dit import DiT, Text
from sorairo.models.precision import autocast, with_half_weights
from sorairo.models.video_vae import VideoVAE
from sorairo.training.dit_loop import num_operations
from sorairo.training.journal import matmul_ceiling

ROUNDS = 7
FRAMES, ROWS, COLUMNS = 9, 6, 10  # four seconds of 160x96
TOKENS, WORDS = FRAMES * ROWS * COLUMNS, 40
CONFIG = DiTConfig(patch=1)
LENGTHS = (17, 33, 65)
CPU = torch.device("cpu")
HALF = "--float32" not in sys.argv

Run = Callable[[], Tensor]


def ours(batch: int) -> Run:
    dit, latents, levels = DiT(CONFIG), torch.randn(batch, 32, FRAMES, ROWS, COLUMNS), torch.rand(batch, 1, 1, 1)
    noise_map = levels.expand(-1, FRAMES, ROWS, COLUMNS).contiguous()
    text = Text(torch.randn(batch, WORDS, CONFIG.text_width), torch.ones(batch, 1, WORDS, dtype=torch.bool))
    if batch > 2:  # trains
        return lambda: dit(latents, noise_map, text)
    if HALF:
        dit = with_half_weights(dit, CPU)
    with torch.inference_mode(), autocast(CPU, HALF):
        memory = dit.text_memory(*text)  # samples: a text is read once for all steps
    return lambda: dit(latents, noise_map, memory)


def wan(batch: int) -> Run:
    from diffusers import WanTransformer3DModel

    model = WanTransformer3DModel(
        patch_size=(1, 1, 1), num_attention_heads=CONFIG.num_heads, attention_head_dim=64, in_channels=32,
        out_channels=32, text_dim=CONFIG.text_width, ffn_dim=4 * CONFIG.width, num_layers=CONFIG.depth,
    )  # fmt: skip
    latents, text = torch.randn(batch, 32, FRAMES, ROWS, COLUMNS), torch.randn(batch, WORDS, CONFIG.text_width)
    times = torch.randint(1000, (batch,))
    return lambda: model(latents, times, text, return_dict=False)[0]


def ltx(batch: int) -> Run:
    from diffusers import LTXVideoTransformer3DModel

    model = LTXVideoTransformer3DModel(
        in_channels=32, out_channels=32, num_attention_heads=CONFIG.num_heads, attention_head_dim=64,
        cross_attention_dim=CONFIG.width, num_layers=CONFIG.depth, caption_channels=CONFIG.text_width,
    )  # fmt: skip
    tokens, text = torch.randn(batch, TOKENS, 32), torch.randn(batch, WORDS, CONFIG.text_width)
    times, mask = torch.randint(1000, (batch, 1)), torch.ones(batch, WORDS)
    size = {"num_frames": FRAMES, "height": ROWS, "width": COLUMNS}
    return lambda: model(tokens, text, times, mask, **size, return_dict=False)[0]


def forward(run: Run) -> None:
    with torch.inference_mode(), autocast(CPU, HALF):
        run()


def training_step(run: Run) -> None:
    with autocast(CPU, HALF):
        answer = run()
    answer.float().square().mean().backward()


def in_turns(work: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Seconds of each, ``ROUNDS`` times, one after the other, so that all see the same disturbances."""
    for each in work.values():
        each()
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, each in work.items():
            start = time.perf_counter()
            each()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def transformers(kind: str, batch: int, step: Callable[[Run], None]) -> list[str]:
    """Rows of a table: seconds, their spread, how many times ours, share of the products' ceiling."""
    runs = {
        "Sorairo `DiT`": ours,
        "diffusers `WanTransformer3DModel`": wan,
        "diffusers `LTXVideoTransformer3DModel`": ltx,
    }
    work = {name: partial(step, make(batch)) for name, make in runs.items()}
    ceiling = matmul_ceiling(CPU, torch.bfloat16 if HALF else torch.float32)
    seconds = in_turns(work)
    batch_of = Batch(*(torch.zeros(batch, 32, FRAMES, ROWS, COLUMNS), torch.zeros(0), torch.zeros(batch, WORDS, 1)),
                     torch.zeros(0), 0)  # fmt: skip
    operations = num_operations(CONFIG, batch_of) / (1 if kind == "training step" else 3)
    own = median(seconds["Sorairo `DiT`"])
    return [
        f"| {kind}, batch {batch} | {name} | {median(all_):.3f} | {min(all_):.3f} to {max(all_):.3f} | "
        f"{median(all_) / own:.2f} | {operations / median(all_) / ceiling:.2f} |"
        for name, all_ in seconds.items()
    ]


def autoencoder(name: str) -> tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[int], Tensor]]:
    """An autoencoder of 16x16x4 pixels to a latent, how it decodes, and latents of so many frames of 160x96."""
    if name == "Sorairo":
        vae: nn.Module = VideoVAE(VideoVAEConfig())
        return vae, vae.decode, lambda frames: torch.randn(1, 32, 1 + frames // 4, ROWS, COLUMNS)
    from diffusers import AutoencoderKLLTXVideo, AutoencoderKLWan

    if name == "AutoencoderKLWan":  # as of Wan 2.2, the one with this rate
        vae = AutoencoderKLWan(
            base_dim=160, decoder_base_dim=256, z_dim=48, is_residual=True, in_channels=12, out_channels=12,
            patch_size=2, scale_factor_spatial=16, latents_mean=[0.0] * 48, latents_std=[1.0] * 48,
        )  # fmt: skip
        return vae, lambda z: vae.decode(z).sample, lambda f: torch.randn(1, 48, 1 + f // 4, ROWS, COLUMNS)
    vae = AutoencoderKLLTXVideo(latent_channels=32, spatio_temporal_scaling=(True, True, False, False),
                                decoder_spatio_temporal_scaling=(True, True, False, False))  # fmt: skip
    return vae, lambda z: vae.decode(z).sample, lambda f: torch.randn(1, 32, 1 + f // 4, ROWS, COLUMNS)


def measure_decoding(name: str, frames: int) -> None:
    """Prints parameters, seconds and the memory that decoding added at its peak: for a process of its own."""
    vae, decode, latents = autoencoder(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(1 if name == "AutoencoderKLWan" else 3):
        start = time.perf_counter()
        with torch.inference_mode(), autocast(CPU, HALF):
            assert decode(latents(frames)).shape[2:] == (frames, 96, 160)
        seconds.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(sum(p.numel() for p in vae.parameters()), min(seconds), memory / 1024)


def autoencoders() -> list[str]:
    rows = []
    for frames in LENGTHS:
        own = 0.0
        for name in ("Sorairo", "AutoencoderKLWan", "AutoencoderKLLTXVideo"):
            command = [sys.executable, *sys.argv, "--decode", name, str(frames)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            size, seconds, memory = map(float, said[-3:])
            own = own or seconds
            rows.append(
                f"| {frames} frames | {name} | {size / 1e6:.1f} | {seconds:.2f} | {seconds / own:.1f} | {memory:.0f} |"
            )
    return rows


def page() -> str:
    precision = "bfloat16 products" if HALF else "float32"
    lines = [
        f"Weights are random, sizes equal; {torch.get_num_threads()} threads, {precision}.", "",
        f"Transformers of width {CONFIG.width}, depth {CONFIG.depth}, {TOKENS} tokens and {WORDS} words.",
        "Share of ceiling: counted operations of the products, as a share of what square products reach here.",
        "A sampling step asks for two answers at once (guidance); only ours keeps keys and values of the text.", "",
        "| what | class | seconds, median | from, to | times ours | share of ceiling |",
        "| --- | --- | --- | --- | --- | --- |",
        *transformers("sampling step", 2, forward), *transformers("training step", 8, training_step),
    ]  # fmt: skip
    if "--transformers" in sys.argv:
        return "\n".join(lines)
    return "\n".join([
        *lines, "",
        "Autoencoders decoding 160x96, one latent for 16x16x4 pixels; each at its class's own widths (Wan 2.2's for",
        "`AutoencoderKLWan`), in a process of its own.", "",
        "| length | class | million parameters | seconds | times ours | MiB added at the peak |",
        "| --- | --- | --- | --- | --- | --- |",
        *autoencoders(),
    ])  # fmt: skip


if __name__ == "__main__":
    if "--decode" in sys.argv:
        where = sys.argv.index("--decode")
        measure_decoding(sys.argv[where + 1], int(sys.argv[where + 2]))
    else:
        print(page())
