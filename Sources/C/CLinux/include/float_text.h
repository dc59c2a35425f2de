// Text to and from double and long double, which Swift can't name on every platform. Texts come with
// their length and need no terminator; nothing is kept.
#ifndef CLINUX_FLOAT_TEXT_H
#define CLINUX_FLOAT_TEXT_H

#include <stddef.h>

enum {
    /// Room for any finite long double with 17 decimals.
    HF_LONG_DOUBLE_ROOM = 5120,
};

/// 1 and the value, or 0 when the text isn't one whole number.
int hf_parse_double(const void *text, size_t length, double *value);
/// 0: not a number, 1: finite, 2: infinite.
int hf_long_double_kind(const void *text, size_t length);
/// Writes left + right with 17 decimals, trailing zeros cut; gives the length, or -1 when left isn't a
/// number, -2 when right isn't, -3 when the sum isn't finite (or would not fit).
long hf_add_long_double(const void *left, size_t left_length, const void *right, size_t right_length,
                        void *out, size_t room);

#endif
