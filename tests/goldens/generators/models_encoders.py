"""Golden weights, outputs and gradients for the encoders: writes ../models_*.safetensors and ../models_graphs.json.

Versions: torch 2.11.0, torchvision 0.26.0, safetensors 0.8.0. Run: OMP_NUM_THREADS=1 python -P models_encoders.py
(-P, because the folder holds a script named as a standard module)

`models_NET.safetensors` has the tensors of a published network under its names; for the residual
networks these are torchvision's own modules with 2 (ResNet-50: 4, and fewer blocks) instead of 64 channels, so that
the files stay small. `models_NET_golden.safetensors` has, for one fixed input, the output in training and in
evaluation mode, the gradients of sum(output * weights) in training mode (`gradient.KEY`), and the
running statistics after that pass (`after.KEY`). All computed in double precision and stored in
single precision.
Tolerance: 1e-4 of the largest entry of a tensor in single precision, 1e-6 in double (the rounding
of the stored numbers).
The residual networks get images of 5 channels; their files have a stem of 3, which the network here
repeats as R, G, B, R, G.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

SEED = 20260302
HERE = Path(__file__).parent.parent
HEADER = {"torch": torch.__version__, "seed": str(SEED), "tolerance": "1e-4 of the largest entry in f32, 1e-6 in f64"}
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)


def sequence(count):
    """Numbers in [0, 1) that any language can make: a linear congruential generator."""
    state, values = 1, []
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        values.append((state >> 16) / 2**15)
    return torch.tensor(values)


def randomise(net):
    """Weights that single precision holds exactly, and statistics away from their start."""
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        with torch.no_grad():
            if name.endswith("running_var"):
                tensor.copy_(0.5 + torch.rand_like(tensor))
            elif tensor.dim() == 1:
                norm = ".bn" in name or name.startswith("bn") or "norm" in name or "downsample.1" in name
                start = 1.0 if norm and name.endswith("weight") else 0.0
                tensor.copy_(start + 0.2 * torch.randn_like(tensor))
            else:
                fan = tensor[0].numel()
                tensor.copy_(torch.randn_like(tensor) * (2.0 / fan) ** 0.5)
            if name.endswith((last_norm(net), "downsample.1.weight")):
                tensor *= 0.5  # residual sums of narrow layers would otherwise amplify rounding
            tensor.copy_(tensor.float().double())


def last_norm(net):
    return {"BasicBlock": "bn2.weight", "Bottleneck": "bn3.weight"}.get(type(getattr(net, "layer1", [0])[0]).__name__, "-")


def single(tensors):
    return {k: v.detach().float().contiguous() if v.is_floating_point() else v for k, v in tensors.items()}


def write(name, stored, net, run):
    """`stored`: the tensors of the weight file; `run(net)`: the output for the fixed input."""
    save_file(single(stored), HERE / f"models_{name}.safetensors", metadata=HEADER)
    golden = {}
    net.eval()
    golden["eval"] = run(net)
    net.train()
    output = run(net)
    golden["train"] = output
    weights = sequence(output.numel()).reshape(output.shape) - 0.5
    (output * weights).sum().backward()
    for key, param in net.named_parameters():
        if param.grad is not None:
            golden[f"gradient.{key}"] = param.grad
    for key, value in net.named_buffers():
        if "running" in key:
            golden[f"after.{key}"] = value
    path = HERE / f"models_{name}_golden.safetensors"
    save_file(single(golden), path, metadata=HEADER)
    print(name, [tuple(output.shape)], path.stat().st_size)


# Residual networks.
def resnet(block, depths, width):
    net = ResNet(block, depths, num_classes=3)
    net.inplanes = width
    net.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
    net.bn1 = nn.BatchNorm2d(width)
    for stage, depth in enumerate(depths):
        layer = net._make_layer(block, width << stage, depth, stride=1 if stage == 0 else 2)
        setattr(net, f"layer{stage + 1}", layer)
    net.fc = nn.Linear((width << 3) * block.expansion, 3)
    return net


IMAGES = sequence(6 * 64 * 64 * 5).reshape(6, 64, 64, 5).permute(0, 3, 1, 2)
for name, block, depths, width in [
    ("resnet18", BasicBlock, [2, 2, 2, 2], 2),
    ("resnet34", BasicBlock, [3, 4, 6, 3], 2),
    # ResNet-50 with fewer blocks: at its depth, layers of 2 channels lose 3 digits in single precision.
    ("resnet50", Bottleneck, [1, 2, 1, 1], 4),
]:
    net = resnet(block, depths, width)
    randomise(net)
    stored = {k: v.clone() for k, v in net.state_dict().items()}
    stem = nn.Conv2d(5, width, 7, 2, 3, bias=False)
    stem.weight = nn.Parameter(net.conv1.weight.detach()[:, [0, 1, 2, 0, 1]].clone())
    net.conv1 = stem
    net.fc = nn.Identity()
    write(name, stored, net, lambda net: net(IMAGES))

# Graphs: random codes of OGB's vocabularies, bonds in both directions, one atom without bonds.
ATOMS, BONDS = [119, 5, 12, 12, 10, 6, 6, 2, 2], [5, 6, 2]
generator = torch.Generator().manual_seed(SEED)


def draw(limit):
    return int(torch.randint(limit, (1,), generator=generator))


graphs = []
for count in [5, 7, 2, 9, 4, 6]:
    # Codes repeat within a molecule, so that equal messages meet in minima and maxima.
    kinds = [[draw(size) for size in ATOMS] for _ in range(3)]
    atoms = [kinds[draw(3)] for _ in range(count)]
    edges, bonds = [], []
    for b in range(1, count if count != 9 else 8):  # the ninth atom of the fourth molecule stays alone
        pairs = {(draw(b), b)} | ({(0, b)} if b % 3 == 0 else set())
        for a, c in sorted(pairs):
            code = [draw(size) for size in BONDS]
            edges += [[a, c], [c, a]]
            bonds += [code, code]
    graphs.append({"atoms": atoms, "edges": edges, "bonds": bonds})
(HERE / "models_graphs.json").write_text(json.dumps({"header": HEADER, "graphs": graphs}, separators=(",", ":")))

atom_codes = torch.tensor([a for g in graphs for a in g["atoms"]])
first = [sum(len(g["atoms"]) for g in graphs[:k]) for k in range(len(graphs))]
edge_index = torch.tensor([[e[0] + s, e[1] + s] for g, s in zip(graphs, first) for e in g["edges"]])
bond_codes = torch.tensor([b for g in graphs for b in g["bonds"]])
owner = torch.tensor([k for k, g in enumerate(graphs) for _ in g["atoms"]])


class Embeddings(nn.Module):
    def __init__(self, name, sizes, width):
        super().__init__()
        self.name = name
        setattr(self, name, nn.ModuleList(nn.Embedding(size, width) for size in sizes))

    def forward(self, codes):
        return sum(table(codes[:, k]) for k, table in enumerate(getattr(self, self.name)))


class Dense(nn.Module):
    """Linear, ReLU or nothing, batch norm or nothing."""

    def __init__(self, inputs, outputs, relu, norm):
        super().__init__()
        self.linear, self.relu = nn.Linear(inputs, outputs), relu
        self.batch_norm = nn.BatchNorm1d(outputs, momentum=0.07) if norm else None

    def forward(self, x):
        x = self.linear(x)
        x = torch.relu(x) if self.relu else x
        return self.batch_norm(x) if self.batch_norm is not None else x


class Mlp(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.fully_connected = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.fully_connected:
            x = layer(x)
        return x


class Propagation(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.pretrans = Mlp(Dense(3 * width, width, True, True), Dense(width, width, False, True))
        self.posttrans = Mlp(Dense(13 * width, width, False, True))

    def forward(self, h, e):
        source, target = edge_index[:, 0], edge_index[:, 1]
        messages = self.pretrans(torch.cat([h[source], h[target], e], 1))
        rows = []
        for atom in range(len(h)):
            # Sorted by nothing: the order of edges, which the batch keeps within an atom.
            incoming = messages[target == atom]
            if len(incoming) == 0:
                rows.append(torch.zeros(12 * h.shape[1]))
                continue
            mean = incoming.mean(0)
            std = torch.sqrt(torch.relu((incoming * incoming).mean(0) - mean * mean) + 1e-5)
            a = torch.cat([mean, incoming.max(0).values, incoming.min(0).values, std])
            scale = torch.log(torch.tensor(len(incoming) + 1.0))
            rows.append(torch.cat([a, a * scale, a / scale]))
        return h + self.posttrans(torch.cat([h, torch.stack(rows)], 1))


class Pna(nn.Module):
    def __init__(self, width=8, depth=2, output=6):
        super().__init__()
        self.node_gnn = nn.Module()
        self.node_gnn.mp_layers = nn.ModuleList(Propagation(width) for _ in range(depth))
        self.node_gnn.atom_encoder = Embeddings("atom_embedding_list", ATOMS, width)
        self.node_gnn.bond_encoder = Embeddings("bond_embedding_list", BONDS, width)
        self.output = Mlp(Dense(3 * width, width, True, True), Dense(width, output, False, False))

    def forward(self, _):
        h, e = self.node_gnn.atom_encoder(atom_codes), self.node_gnn.bond_encoder(bond_codes)
        for layer in self.node_gnn.mp_layers:
            h = layer(h, e)
        molecules = [h[owner == k] for k in range(len(graphs))]
        read = [torch.cat([m.min(0).values, m.max(0).values, m.mean(0)]) for m in molecules]
        return self.output(torch.stack(read))


net = Pna()
randomise(net)
CHIRALITY = "node_gnn.atom_encoder.atom_embedding_list.1.weight"
tables = net.node_gnn.atom_encoder.atom_embedding_list
with torch.no_grad():
    tables[1].weight[4] = tables[1].weight[3]  # as the import makes it from a table of four rows
stored = {k: v.clone() for k, v in net.state_dict().items()}
stored[CHIRALITY] = stored[CHIRALITY][:4].clone()
write("pna", stored, net, lambda net: net(None))


class GinLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.edge_embedding1, self.edge_embedding2 = nn.Embedding(6, width), nn.Embedding(6, width)

    def forward(self, h):
        loop = self.edge_embedding1.weight[5] + self.edge_embedding2.weight[0]
        e = self.edge_embedding1(bond_codes[:, 0]) + self.edge_embedding2(bond_codes[:, 1])
        total = h + loop
        total = total.index_add(0, edge_index[:, 1], h[edge_index[:, 0]] + e)
        return self.mlp(total)


class Gin(nn.Module):
    def __init__(self, width=8, depth=3):
        super().__init__()
        self.x_embedding1, self.x_embedding2 = nn.Embedding(119, width), nn.Embedding(5, width)
        self.gnns = nn.ModuleList(GinLayer(width) for _ in range(depth))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth))

    def forward(self, _):
        h = self.x_embedding1(atom_codes[:, 0]) + self.x_embedding2(atom_codes[:, 1])
        for k, (layer, norm) in enumerate(zip(self.gnns, self.batch_norms)):
            h = norm(layer(h))
            h = torch.relu(h) if k + 1 < len(self.gnns) else h
        return torch.stack([h[owner == k].mean(0) for k in range(len(graphs))])


def ours(net):
    return {k: v.clone() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}


net = Gin()
randomise(net)
write("gin", ours(net), net, lambda net: net(None))


class Layer(nn.Module):
    def __init__(self, inputs, outputs, norm=True):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        if norm:
            self.norm = nn.LayerNorm(outputs)

    def forward(self, x):
        return torch.relu(self.norm(self.linear(x))) if hasattr(self, "norm") else self.linear(x)


class Fingerprint(nn.Module):
    """Fingerprint perceptron and projection head."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([Layer(40, 12), Layer(12, 8), Layer(8, 6, False)])
        self.head = nn.Module()
        self.head.linear1, self.head.linear2 = nn.Linear(6, 5), nn.Linear(5, 5)

    def forward(self, x):
        for layer in self.encoder.layers:
            x = layer(x)
        return self.head.linear2(torch.relu(self.head.linear1(torch.relu(x))))


net = Fingerprint()
randomise(net)
write("fingerprint", ours(net), net, lambda net: net((sequence(7 * 40).reshape(7, 40) > 0.7).double()))
