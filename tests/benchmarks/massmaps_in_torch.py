"""PyTorch versions of the mass-map networks with the weights of Keras: the reference of `massmaps_on_gpu.py`."""

import math

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tenfold.emulators import intensity, map_layers
from tenfold.emulators.gan import COSMOGAN


def convolutions(periodic: bool):
    """Return the convolutions of `tenfold.emulators.map_layers` for (n, C, N, N), and a converter of Keras kernels."""

    def wrap(x, before: int, after: int):
        return functional.pad(x, (before, after, before, after), mode="circular" if periodic else "constant")

    def convolve(x, kernel, bias, stride=1):
        padding = kernel.shape[-1] - stride
        return functional.conv2d(wrap(x, padding // 2, padding - padding // 2), kernel, bias, stride=stride)

    def transpose_convolve(x, kernel, bias, stride=2):
        side, size = stride * x.shape[-1], kernel.shape[-1]
        reach = -(-size // stride) - 1 if periodic else 0
        first = reach * stride + (size - stride) // 2
        x = functional.conv_transpose2d(wrap(x, reach, reach), kernel, bias, stride=stride)
        return x[..., first : first + side, first : first + side]

    def to_torch_kernel(values: np.ndarray):
        return torch.tensor(values.transpose(3, 2, 0, 1)).contiguous(memory_format=torch.channels_last)

    return convolve, transpose_convolve, to_torch_kernel


def torch_generator(network: keras.Model, device: str):
    """Return a trained generator of one channel as a PyTorch function."""
    field, intensity_layer = network.get_layer("field"), network.get_layer("kappa").intensity
    margin = (field.crop - field.size) // 2
    convolve, transpose_convolve, to_torch_kernel = convolutions(periodic=not margin)
    keras_weights = {layer.name: layer.get_weights() for layer in network.layers}
    weight = {name: [(to_torch_kernel(v) if v.ndim == 4 else torch.tensor(v)).to(device) for v in values]
              for name, values in keras_weights.items()}  # fmt: skip
    levels = sum(name.startswith("down_") for name in weight) + 1
    interpolation = torch.tensor(field.interpolation).to(device)
    field_side = math.isqrt(interpolation.shape[1])
    knots = torch.tensor(network.get_layer("spline").knots).to(device)
    standardisation = (
        network.get_layer("standardised_parameters") if "parameters" in {x.name for x in network.inputs} else None
    )
    (centre,), (scale,) = intensity_layer.centre, intensity_layer.scale
    (mean,), (std,) = intensity_layer.mean, intensity_layer.std

    def polynomial(name, x):
        i, j = torch.triu_indices(x.shape[1], x.shape[1], device=x.device)
        return torch.cat([x.new_ones(len(x), 1), x, x[:, i] * x[:, j]], 1) @ weight[name][0]

    def active(x, vector, name):
        kernel, bias = weight[f"film_{name}"]
        gain, shift = (vector @ kernel + bias)[:, :, None, None].chunk(2, dim=1)
        return functional.leaky_relu(x * (1 + gain) + shift, map_layers.LEAKY_SLOPE)

    def cubic_b_spline(distance):
        near, far = torch.relu(1 - distance), torch.relu(2 - distance)
        return (far**3 - 4 * near**3) / 6

    def apply_spline(u, coefficients):
        position = ((u - knots[0]) / (knots[1] - knots[0])).clamp(0, len(knots) - 1).flatten(1)
        first = position.floor()
        padded = torch.cat([coefficients[:, :1], coefficients, coefficients[:, -1:], coefficients[:, -1:]], 1)
        change = sum(
            padded.gather(1, first.long() + s) * cubic_b_spline((position - first + 1 - s).abs()) for s in range(4)
        )
        return u + change.view_as(u)

    def generate(latent, noise, parameters=None):
        x = latent[:, :0] if parameters is None else parameters
        if standardisation is not None:
            logarithmic, centre_x, scale_x = (
                torch.tensor(v, device=x.device)
                for v in (standardisation.logarithmic, standardisation.mean, standardisation.std)
            )
            x = (torch.where(logarithmic, x.clamp(min=1e-30).log(), x) - centre_x) / scale_x
        vector = latent if standardisation is None else torch.cat([latent, x], 1)
        for name in ("style_0", "style_1"):
            vector = functional.leaky_relu(vector @ weight[name][0] + weight[name][1], map_layers.LEAKY_SLOPE)
        white, crop_noise = (
            noise[:, : field_side**2].view(-1, 1, field_side, field_side),
            noise[:, field_side**2 :].view(-1, 1, field.crop, field.crop),
        )
        amplitude = (0.5 * polynomial("ln_power", x) @ interpolation).exp().view(-1, 1, field_side, field_side)
        start = torch.fft.ifft2(torch.fft.fft2(white) * amplitude).real[..., : field.crop, : field.crop]
        y = torch.cat([start, crop_noise], 1).contiguous(memory_format=torch.channels_last)
        y = active(convolve(y, *weight["level_0"]), vector, "0")
        skip = [y]
        for level in range(1, levels):
            y = active(convolve(y, *weight[f"down_{level}"], 2), vector, f"down_{level}")
            y = active(convolve(y, *weight[f"level_{level}"]), vector, f"{level}")
            skip.append(y)
        for level in range(levels - 2, -1, -1):
            y = active(transpose_convolve(y, *weight[f"up_{level}"]) + skip[level], vector, f"up_{level}")
            y = active(convolve(y, *weight[f"out_{level}"]), vector, f"out_{level}")
        u = start + convolve(y, *weight["map"]) - polynomial("negative_mean", x)[:, :, None, None]
        u = u[..., margin:-margin, margin:-margin].contiguous() if margin else u
        u = apply_spline(u, polynomial("spline_coefficients", x)) * std + mean
        kappa = torch.sinh(u.clamp(-intensity.MAX_ARCSINH, intensity.MAX_ARCSINH)) * scale + centre if scale else u
        return kappa * polynomial("ln_sigma", x).exp()[:, :, None, None]

    return generate


def torch_cosmogan(generator: keras.Model, discriminator: keras.Model, device: str):
    """Return generator and discriminator of CosmoGAN as PyTorch modules, with the weights of Keras."""
    convolve, transpose_convolve, to_torch_kernel = convolutions(periodic=False)
    discriminator_body = discriminator.get_layer("body")

    class Convolution(nn.Module):
        def __init__(self, layer, edge: int, transposed: bool):
            super().__init__()
            kernel, bias = layer.get_weights()
            self.kernel, self.bias = nn.Parameter(to_torch_kernel(kernel)), nn.Parameter(torch.tensor(bias))
            self.edge, self.convolve = edge, transpose_convolve if transposed else convolve

        def forward(self, x):
            x = self.convolve(x, self.kernel, self.bias, 2)
            return x[..., self.edge : -self.edge, self.edge : -self.edge] if self.edge else x

    def batch_norm(channels):
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

    class Flatten(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1).flatten(1)

    class Unflatten(nn.Module):
        def __init__(self, channels, side):
            super().__init__()
            self.channels, self.side = channels, side

        def forward(self, x):
            return x.view(-1, self.side, self.side, self.channels).permute(0, 3, 1, 2)

    def linear(layer):
        kernel, bias = layer.get_weights()
        layer = nn.Linear(*kernel.shape)
        layer.weight.data, layer.bias.data = torch.tensor(kernel.T.copy()), torch.tensor(bias)
        return layer

    filters, side = COSMOGAN.filters, COSMOGAN.size // 2 ** len(COSMOGAN.filters) + 4
    generator_layers = [linear(generator.get_layer("seed")), Unflatten(filters[0], side)]
    for level in range(1, len(filters) + 1):
        last = level == len(filters)
        layer = generator.get_layer("map" if last else f"up_{level}")
        generator_layers += [batch_norm(filters[level - 1]), nn.ReLU(), Convolution(layer, 4 if last else 2, True)]
    discriminator_layers = []
    for level, count in enumerate(COSMOGAN.critic_filters):
        discriminator_layers += [
            Convolution(discriminator_body.get_layer(f"convolution_{level}"), 0, False),
            *([batch_norm(count)] if level else []),
        ]
        discriminator_layers.append(nn.LeakyReLU(map_layers.LEAKY_SLOPE))
    discriminator_layers += [Flatten(), linear(discriminator_body.get_layer("score")), nn.Flatten(0)]
    return nn.Sequential(*generator_layers).to(device), nn.Sequential(*discriminator_layers).to(device)
