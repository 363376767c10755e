"""Writes the net that tells the age of a face, as ONNX: python recipes/age.py FOLDER

FOLDER is where `npm pack @vladmandic/face-api@1.7.15` was unpacked (MIT). Needs onnx, which nothing else does.
The net is face-api.js's age and gender net (Mühler 2019): TinyXception with two middle blocks, weights of 8 bits each,
which are kept as they are. Its second answer, the gender, is left out. Then it tells the ages of the faces on the
package's own photographs.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from sorairo.safety.detectors import MinorDetector

MEAN_RGB = (122.782, 117.001, 104.298)
BLOCKS = ("entry_flow/reduction_block_0", "entry_flow/reduction_block_1")
TARGET = Path(__file__).parents[1] / "src" / "sorairo" / "safety" / "data" / "age.onnx"


class Graph:
    """Nodes and weights as they come; each method returns its output's name."""

    def __init__(self, folder: Path) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.data = (folder / "age_gender_model.bin").read_bytes()
        manifest = json.loads((folder / "age_gender_model-weights_manifest.json").read_text())
        self.entries, place = {}, 0
        for entry in manifest[0]["weights"]:
            self.entries[entry["name"]] = entry, place
            place += math.prod(entry["shape"]) * (1 if "quantization" in entry else 4)
        assert place == len(self.data), "the file is not as long as its manifest says"

    def node(self, kind: str, *inputs: str, **settings: object) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **settings))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str, axes: tuple[int, ...] | None = None) -> str:
        """A weight in ONNX's order of axes; eight bits stay eight bits (value = scale (number - zero))."""
        entry, place = self.entries[name]
        kept = entry.get("quantization")
        values = np.frombuffer(self.data, np.uint8 if kept else np.float32, math.prod(entry["shape"]), place)
        values = values.reshape(entry["shape"])
        stored = self.constant(name, np.ascontiguousarray(values.transpose(axes) if axes else values))
        if not kept:
            return stored
        zero = round(-kept["min"] / kept["scale"])
        assert abs(kept["min"] + zero * kept["scale"]) < 1e-6, name
        scale = self.constant(f"{name}/scale", np.float32(kept["scale"]))
        return self.node("DequantizeLinear", stored, scale, self.constant(f"{name}/zero", np.uint8(zero)))

    def conv(self, x: str, name: str, stride: int) -> str:
        filters = self.weight(f"{name}/filters", (3, 2, 0, 1))
        return self.node("Conv", x, filters, self.weight(f"{name}/bias"), strides=[stride] * 2, auto_pad="SAME_UPPER")

    def separable(self, x: str, name: str) -> str:
        """A convolution of each channel alone, then one over the channels."""
        channels = self.entries[f"{name}/depthwise_filter"][0]["shape"][2]
        depthwise = self.weight(f"{name}/depthwise_filter", (2, 3, 0, 1))
        x = self.node("Conv", x, depthwise, group=channels, auto_pad="SAME_UPPER")
        return self.node("Conv", x, self.weight(f"{name}/pointwise_filter", (3, 2, 0, 1)), self.weight(f"{name}/bias"))

    def reduction(self, x: str, name: str, activated: bool = True) -> str:
        out = self.separable(self.node("Relu", x) if activated else x, f"{name}/separable_conv0")
        out = self.separable(self.node("Relu", out), f"{name}/separable_conv1")
        out = self.node("MaxPool", out, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
        return self.node("Add", out, self.conv(x, f"{name}/expansion_conv", 2))

    def middle(self, x: str, name: str) -> str:
        out = x
        for number in range(3):
            out = self.separable(self.node("Relu", out), f"{name}/separable_conv{number}")
        return self.node("Add", out, x)


def main(package: Path) -> None:
    graph = Graph(package / "model")
    mean = graph.constant("mean", np.array(MEAN_RGB, np.float32).reshape(1, 3, 1, 1))
    x = graph.node("Div", graph.node("Sub", "faces", mean), graph.constant("scale", np.float32(255)))
    x = graph.node("Relu", graph.conv(x, "entry_flow/conv_in", 2))
    for number, name in enumerate(BLOCKS):
        x = graph.reduction(x, name, activated=number > 0)
    for number in range(2):
        x = graph.middle(x, f"middle_flow/main_block_{number}")
    x = graph.separable(graph.reduction(x, "exit_flow/reduction_block"), "exit_flow/separable_conv")
    x = graph.node("AveragePool", graph.node("Relu", x), kernel_shape=[7, 7], strides=[2, 2])
    x = graph.node("MatMul", graph.node("Flatten", x), graph.weight("fc/age/weights"))
    graph.nodes.append(helper.make_node("Add", [x, graph.weight("fc/age/bias")], ["ages"]))
    faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, 112, 112])
    ages = helper.make_tensor_value_info("ages", TensorProto.FLOAT, ["n", 1])
    made = helper.make_graph(graph.nodes, "age", [faces], [ages], graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.doc_string = "Age of a face in years. Weights of face-api.js, (c) 2018 Vincent Muehler, MIT licence."
    onnx.checker.check_model(model, full_check=True)
    TARGET.write_bytes(model.SerializeToString(deterministic=True))
    print(TARGET, TARGET.stat().st_size, hashlib.sha256(TARGET.read_bytes()).hexdigest())
    detector = MinorDetector()
    for path in sorted((package / "demo").glob("sample*.jpg")):
        picture = np.asarray(Image.open(path).convert("RGB"))
        print(path.name, *(round(age, 1) for age in detector.ages(picture)), f"minor: {detector(picture):.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
