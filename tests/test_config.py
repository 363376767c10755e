"""Settings from plain data: strict, typed, and with errors that say where."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict
from pathlib import Path

import pytest

from sorairo.config import DiTConfig, ModelConfig, VideoVAEConfig, load, load_toml, nearest_name


def test_plain_data_there_and_back() -> None:
    config = ModelConfig("a", VideoVAEConfig(16, (8, 16, 32), (8, 16, 32), 2, 1), DiTConfig(4, 1, 16, mlp_ratio=3.0))
    assert load(ModelConfig, asdict(config)) == config


def test_lists_become_tuples_and_whole_numbers_floats() -> None:
    assert load(VideoVAEConfig, {"encoder_widths": [1, 2, 4]}).encoder_widths == (1, 2, 4)
    ratio = load(DiTConfig, {"mlp_ratio": 3}).mlp_ratio
    assert (ratio, type(ratio)) == (3.0, float)


def test_what_is_not_given_keeps_its_default() -> None:
    assert load(ModelConfig, {"dit": {"patch": 1}}) == ModelConfig(dit=DiTConfig(patch=1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"dit": {"dept": 8}}, r"config\.dit: unknown key 'dept'; the nearest known key is 'depth'"),
        ({"names": "x"}, "config: unknown key 'names'; the nearest known key is 'name'"),
        ({"name": 3}, r"config\.name is 3; expected str"),
        ({"dit": {"depth": "8"}}, r"config\.dit\.depth is '8'; expected int"),
        ({"dit": {"depth": True}}, r"config\.dit\.depth is True; expected int"),
        ({"dit": {"mlp_ratio": True}}, r"config\.dit\.mlp_ratio is True; expected float"),
        ({"dit": 8}, r"config\.dit is 8; expected DiTConfig"),
        ({"video_vae": {"encoder_widths": 8}}, r"config\.video_vae\.encoder_widths is 8; expected tuple"),
        ({"video_vae": {"encoder_widths": [1, "2", 3]}}, r"encoder_widths is '2'; expected int"),
        (
            {"video_vae": {"encoder_widths": [16, 32]}},
            r"config\.video_vae\.encoder_widths is \[16, 32\]; expected 3 values",
        ),
        (
            {"video_vae": {"encoder_widths": [8, 24, 16]}},
            r"is \(8, 24, 16\); 24 must divide 8 times 8: the nearest is 16",
        ),
        ({"video_vae": {"decoder_widths": [8, 0, 16]}}, r"video_vae\.decoder_widths is 0; the nearest possible is 1"),
        ({"video_vae": {"encoder_blocks": -1}}, r"encoder_blocks is -1; the nearest possible is 0"),
        ({"dit": {"text_width": 100}}, r"config\.dit\.text_width is 100; the nearest possible is 384"),
        ({"dit": {"mlp_ratio": 0}}, r"config\.dit\.mlp_ratio is 0\.0; the nearest possible is 0\.015625"),
        ({"guidance_scale": float("nan")}, r"config\.guidance_scale is nan; the nearest possible is 0"),
        ({"guidance_scale": float("inf")}, r"config\.guidance_scale is inf; the nearest possible is 1000000000"),
        ({"dit": {"depth": 7}}, "depth is 7; it must be even and at least 2"),
        ({"dit": {"depth": 0}}, "depth is 0; it must be even"),
    ],
)
def test_a_mistake_is_an_error_that_says_where(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(ModelConfig, data)


def test_settings_made_in_python_are_checked_too() -> None:
    with pytest.raises(ValueError, match=r"^patch is 0; the nearest possible is 1$"):
        DiTConfig(patch=0)
    with pytest.raises(ValueError, match=r"^name is 3; expected str$"):
        ModelConfig(name=3)  # type: ignore[arg-type]


def test_one_dial_sets_the_transformers_size() -> None:
    assert [(DiTConfig(depth).width, DiTConfig(depth).num_heads) for depth in (2, 8, 16)] == [
        (64, 1),
        (256, 4),
        (512, 8),
    ]


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        DiTConfig().depth = 4  # type: ignore[misc]


def test_toml_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    with pytest.raises(ValueError, match=r"model\.toml: cannot be read as TOML: .*No such file"):
        load_toml(ModelConfig, path)
    path.write_text("name = ")
    with pytest.raises(ValueError, match=r"model\.toml: cannot be read as TOML"):
        load_toml(ModelConfig, path)
    path.write_text("[dit]\nheads = 2")
    with pytest.raises(ValueError, match=r"model\.toml\.dit: unknown key 'heads'"):
        load_toml(ModelConfig, path)
    path.write_text('name = "a"\n[dit]\ndepth = 2')
    assert load_toml(ModelConfig, path) == ModelConfig("a", dit=DiTConfig(2))


def test_a_file_that_is_not_text_is_an_error_too(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="model"):
        load_toml(ModelConfig, path)


def test_nearest_name_always_answers() -> None:
    assert nearest_name("dept", ["depth", "patch"]) == "depth"
    assert nearest_name("zzz", ["depth"]) == "depth"
    assert nearest_name("x", []) == "none"
