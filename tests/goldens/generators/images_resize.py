"""Golden values of bilinear resizing: torch.nn.functional.interpolate on CPU, f64 rounded to f32."""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

rng = np.random.default_rng(5)
cases = []
for height, width, to in [(7, 9, (4, 5)), (5, 5, (9, 8)), (12, 12, (8, 8)), (6, 11, (6, 3)), (3, 3, (1, 1))]:
    for antialias in (False, True):
        pixels = rng.integers(0, 256, (height, width, 2), dtype=np.uint8)
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].double() / 255
        y = functional.interpolate(x, size=to, mode="bilinear", align_corners=False, antialias=antialias)
        expected = y[0].permute(1, 2, 0).reshape(-1).tolist()
        cases.append({"height": height, "width": width, "channels": 2, "pixels": pixels.reshape(-1).tolist(),
                      "to": list(to), "antialias": antialias, "expected": [round(v, 8) for v in expected]})
golden = {"generator": "images_resize.py", "torch": torch.__version__, "numpy": np.__version__, "seed": 5,
          "tolerance": 1e-6, "why": "f32 sums of at most 25 weighted values in [0, 1]", "cases": cases}
(Path(__file__).parents[1] / "images_resize.json").write_text(json.dumps(golden) + "\n")
