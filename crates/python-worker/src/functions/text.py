"""Lines of text, as they come from the executor: a length and UTF-8 each."""

import struct

from pyspark import serializers

NULL = serializers.SpecialLengths.NULL


class Lines(serializers.UTF8Deserializer):
    """As PySpark's own, but that the lines which have come already are cut out of one piece of the stream's buffer."""

    def load_stream(self, stream):
        # A stream without a buffer cannot be looked into.
        return self._cut(stream) if hasattr(stream, "peek") else super().load_stream(stream)

    def _cut(self, stream):
        unpack, use_unicode = struct.Struct("!i").unpack_from, self.use_unicode
        while True:
            piece = stream.peek()
            # A character for each byte, so that the lines are already text where they are ASCII.
            text = piece.decode("latin-1") if use_unicode else piece
            lines, place, size = [], 0, len(piece)
            while size - place >= 4:
                (length,) = unpack(piece, place)
                start = place + 4
                if length >= 0:
                    end = start + length
                    if end > size:
                        break
                    lines.append(text[start:end])
                    place = end
                elif length == NULL:
                    lines.append(None)
                    place = start
                else:
                    break
            if not lines:
                # The end, or a line that the buffer does not hold.
                try:
                    line = self.loads(stream)
                except (struct.error, EOFError):
                    return
                yield line
                continue
            stream.read(place)
            if not use_unicode:
                yield from lines
                continue
            for line in lines:
                if line is None or line.isascii():
                    yield line
                else:
                    yield line.encode("latin-1").decode("utf-8")
