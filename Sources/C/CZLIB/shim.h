#include <zlib.h>

/// `inflateInit2` is a macro, which Swift doesn't see: gzip and zlib headers, found by themselves.
static inline int hf_inflate_begin(z_stream *stream) { return inflateInit2(stream, 15 + 32); }
