"""The same model in PyTorch, as people write it: the work that bench compares with.

    peer.py train --config M --mode ternary --act8 1 --dropout 0.1 --trim 0 --threads 2 --seconds 3
    peer.py sgemm --shape 1920x256x768 --layout nn --threads 1 --seconds 3
    peer.py export DIR

train and sgemm print one JSON object. export writes DIR/{S,M}_{fp32,int8}[_trim].onnx.
--trim makes the last block compute only what the last timestep needs, as qat does.
"""
import argparse, json, os, sys, time

parser = argparse.ArgumentParser()
parser.add_argument('what', choices=['train', 'sgemm', 'export'])
parser.add_argument('dir', nargs='?', default='.')
parser.add_argument('--config', default='M')
parser.add_argument('--mode', default='ternary', choices=['float', 'ternary'])
parser.add_argument('--act8', type=int, default=1)
parser.add_argument('--dropout', type=float, default=0.1)
parser.add_argument('--trim', type=int, default=0)
parser.add_argument('--shape', default='1024x1024x1024')
parser.add_argument('--layout', default='nn')
parser.add_argument('--threads', type=int, default=1)
parser.add_argument('--seconds', type=float, default=3)
args = parser.parse_args()
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = str(args.threads)
os.environ.pop('OPENBLAS_CORETYPE', None)

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(args.threads)
torch.manual_seed(0)

CONFIGS = {  # batch, steps, embed, hidden, heads, layers
    'S': (32, 8, 8, 64, 4, 2),
    'M': (32, 60, 256, 256, 4, 4),
    'L': (8, 128, 512, 512, 8, 6),
}


class Ternary(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        s = w.abs().mean().clamp(min=1e-5)
        return (w / s).clamp(-1, 1).round() * s

    @staticmethod
    def backward(ctx, g):
        return g


class Int8(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        s = 127 / x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-5)
        return (x * s).round().clamp(-128, 127) / s

    @staticmethod
    def backward(ctx, g):
        return g


class QuantLinear(nn.Linear):
    def __init__(self, n_in, n_out, mode, act8):
        super().__init__(n_in, n_out)
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)
        self.mode, self.act8 = mode, act8

    def forward(self, x):
        if self.mode == 'float':
            return F.linear(x, self.weight, self.bias)
        return F.linear(Int8.apply(x) if self.act8 else x, Ternary.apply(self.weight), self.bias)


class Block(nn.Module):
    def __init__(self, hidden, heads, dropout, trim, **q):
        super().__init__()
        self.attn_norm, self.ffn_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.q, self.kv = QuantLinear(hidden, hidden, **q), QuantLinear(hidden, 2 * hidden, **q)
        self.qkv = None if trim else QuantLinear(hidden, 3 * hidden, **q)
        if not trim:
            del self.q, self.kv
        self.out = QuantLinear(hidden, hidden, **q)
        self.up, self.down = QuantLinear(hidden, 4 * hidden, **q), QuantLinear(4 * hidden, hidden, **q)
        self.heads, self.dropout, self.trim = heads, dropout, trim

    def split(self, x, parts):
        b, t, h = x.shape
        return x.view(b, t, parts, self.heads, h // parts // self.heads).permute(2, 0, 3, 1, 4)

    def forward(self, x, mask):
        p, training = self.dropout, self.training
        n = self.attn_norm(x)
        if self.trim:
            (q,), (k, v) = self.split(self.q(n[:, -1:]), 1).unbind(0)[:1], self.split(self.kv(n), 2).unbind(0)
            x, mask = x[:, -1:], mask[-1:]
        else:
            q, k, v = self.split(self.qkv(n), 3).unbind(0)
        a = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)) + mask
        a = torch.matmul(torch.softmax(a, -1), v).transpose(1, 2).reshape(x.shape)
        x = x + F.dropout(self.out(a), p, training)
        f = F.dropout(F.silu(self.up(self.ffn_norm(x))), p, training)
        return x + F.dropout(self.down(f), p, training)


class Model(nn.Module):
    def __init__(self, config, dropout=0.1, trim=False, classes=10, **q):
        super().__init__()
        _, steps, embed, hidden, heads, layers = CONFIGS[config]
        self.project = nn.Linear(embed, hidden) if embed != hidden else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(hidden, heads, dropout, trim and i == layers - 1, **q) for i in range(layers))
        self.norm, self.head, self.dropout = nn.LayerNorm(hidden), nn.Linear(hidden, classes), dropout
        self.register_buffer('mask', torch.full((steps, steps), float('-inf')).triu(1), persistent=False)

    def features(self, x):
        x = self.project(x)
        for i, block in enumerate(self.blocks):
            if i:
                x = F.dropout(x, self.dropout, self.training)
            x = block(x, self.mask)
        return self.norm(x)[:, -1]

    def forward(self, x):
        return self.head(self.features(x))


def measure(f):
    for _ in range(3):
        f()
    times, end = [], time.perf_counter() + args.seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    times.sort()
    return dict(median_ms=times[len(times) // 2] * 1e3, min_ms=times[0] * 1e3)


def train():
    batch, steps, embed = CONFIGS[args.config][:3]
    m = Model(args.config, args.dropout, bool(args.trim), mode=args.mode, act8=bool(args.act8)).train()
    opt = torch.optim.AdamW(m.parameters(), lr=1e-4, foreach=args.config == 'S')
    x, y = torch.randn(batch, steps, embed), torch.arange(batch) % 10

    def step():
        loss = F.cross_entropy(m(x), y)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()

    print(json.dumps(dict(measure(step), torch=torch.__version__)))


def sgemm():
    m, k, n = map(int, args.shape.split('x'))
    a = torch.randn(k, m).t() if args.layout == 'tn' else torch.randn(m, k)
    b = torch.randn(n, k).t() if args.layout == 'nt' else torch.randn(k, n)
    out = torch.empty(m, n)
    r = measure(lambda: torch.mm(a, b, out=out))
    print(json.dumps(dict(r, gflops=2e-6 * m * k * n / r['median_ms'])))


def export():
    """Float models, and of each one as onnxruntime.quantize_dynamic makes it: symmetric
    int8 weights, activations quantized per call, integer products."""
    import numpy as np, onnx
    from onnx import TensorProto, helper, numpy_helper

    os.makedirs(args.dir, exist_ok=True)
    for config in ['S', 'M']:
        for trim in [False, True]:
            _, steps, embed = CONFIGS[config][:3]
            m = Model(config, 0, trim, mode='float', act8=False).eval()
            m.forward = m.features
            name = os.path.join(args.dir, config + '_%s' + ('_trim' if trim else '') + '.onnx')
            axes = {'x': {0: 'batch'}, 'y': {0: 'batch'}}
            torch.onnx.export(m, torch.randn(2, steps, embed), name % 'fp32', opset_version=13,
                              input_names=['x'], output_names=['y'], dynamic_axes=axes)
            model = onnx.load(name % 'fp32')
            weights, nodes, seen = {i.name: i for i in model.graph.initializer}, [], set()
            for node in model.graph.node:
                if node.op_type != 'MatMul' or node.input[1] not in weights:
                    nodes.append(node)
                    continue
                x, out, w = node.input[0], node.output[0], numpy_helper.to_array(weights[node.input[1]])
                scale = np.abs(w).max() / 127
                for suffix, value in [('_w', np.rint(w / scale).astype(np.int8)), ('_s', np.float32(scale)), ('_z', np.int8(0))]:
                    model.graph.initializer.append(numpy_helper.from_array(value, out + suffix))
                if x not in seen:
                    seen.add(x)
                    nodes.append(helper.make_node('DynamicQuantizeLinear', [x], [x + '_q', x + '_qs', x + '_qz']))
                nodes += [
                    helper.make_node('MatMulInteger', [x + '_q', out + '_w', x + '_qz', out + '_z'], [out + '_i']),
                    helper.make_node('Cast', [out + '_i'], [out + '_f'], to=TensorProto.FLOAT),
                    helper.make_node('Mul', [x + '_qs', out + '_s'], [out + '_m']),
                    helper.make_node('Mul', [out + '_f', out + '_m'], [out])]
                model.graph.initializer.remove(weights[node.input[1]])
            del model.graph.node[:]
            model.graph.node.extend(nodes)
            onnx.save(model, name % 'int8')


dict(train=train, sgemm=sgemm, export=export)[args.what]()
