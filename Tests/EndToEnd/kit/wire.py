"""The bytes of requests and of files that hold them."""


def messages(file):
    """The messages of a file with a length before each, joined."""
    found = b""
    while file:
        size = int.from_bytes(file[:4], "big")
        found, file = found + file[4 : 4 + size], file[4 + size :]
    return found


def resources(body):
    """The fields of a request, each as it stands."""
    found = []
    while body:
        assert body[0] == 0x0A, "a request has resources alone"
        size, shift, end = 0, 0, 1
        while True:
            size |= (body[end] & 0x7F) << shift
            shift, end = shift + 7, end + 1
            if body[end - 1] < 0x80:
                break
        found.append(body[: end + size])
        body = body[end + size :]
    return found
