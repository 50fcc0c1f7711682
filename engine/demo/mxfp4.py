"""MXFP4: 32 values share a power of two (e8m0), each value is one of sixteen (e2m1). OCP Microscaling Formats 1.0."""

import torch

VALUES = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])


def quantize(weights):
    """weights [..., n] with n a multiple of 32 -> (blocks u8 [..., n/32, 16], scales u8 [..., n/32])."""
    groups, exponent = scaled(weights)
    nearest = (groups.abs().unsqueeze(-1) - VALUES.to(groups)).abs().argmin(-1)
    codes = (nearest + 8 * (groups < 0)).to(torch.uint8)
    return codes[..., ::2] | codes[..., 1::2] << 4, (exponent.squeeze(-1) + 127).to(torch.uint8)


def unpacked(blocks, scales):
    """The values: [..., n]."""
    codes = torch.stack([blocks & 15, blocks >> 4], -1).flatten(-2).long()
    values = torch.cat([VALUES, -VALUES])[codes] * torch.exp2(scales.float() - 127).unsqueeze(-1)
    return values.flatten(-2)


def rounded(weights):
    """What a reader of the quantized weights gets."""
    groups, exponent = scaled(weights)
    size = groups.abs()
    # Steps of the grid: 0.5 below 2, 1 below 4, 2 above.
    step = torch.where(size < 2, 0.5, torch.where(size < 4, 1.0, 2.0))
    near = (torch.round(size / step) * step).clamp(max=6.0) * groups.sign()
    return (near * torch.exp2(exponent)).reshape(weights.shape).to(weights.dtype)


def straight_through(weights):
    """Rounded forwards, unrounded for the gradient."""
    return weights + (rounded(weights.detach()) - weights).detach()


def scaled(weights):
    groups = weights.float().reshape(*weights.shape[:-1], -1, 32)
    largest = groups.abs().amax(-1, keepdim=True).clamp(min=2.0**-120)
    # The largest value lands at or below 6 and above 3: little is cut off, little of the grid is unused.
    exponent = torch.ceil(torch.log2(largest / 6.0))
    return groups / torch.exp2(exponent), exponent
