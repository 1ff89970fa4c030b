"""Make a photo small."""

from __future__ import annotations

from io import BytesIO

SIZE = (240, 240)


def shrink(photo: bytes) -> bytes:
    """Return *photo*, of any format that Pillow reads, as a JPEG no larger than SIZE."""
    from PIL import Image, ImageOps

    with Image.open(BytesIO(photo)) as image:
        small = ImageOps.exif_transpose(image).convert("RGB")
        small.thumbnail(SIZE)
        out = BytesIO()
        small.save(out, "JPEG", quality=80)
        return out.getvalue()
