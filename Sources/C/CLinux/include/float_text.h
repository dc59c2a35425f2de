// Text to and from double and long double, which Swift can't name on every platform. Texts come with
// their length and need no terminator; nothing is kept.
#ifndef CLINUX_FLOAT_TEXT_H
#define CLINUX_FLOAT_TEXT_H

#include <stddef.h>

enum {
    /// Room for any finite long double with 17 decimals.
    HF_LONG_DOUBLE_ROOM = 5120,
    /// Room for any finite double with 17 decimals.
    HF_DOUBLE_ROOM = 352,
};

/// 1 and the value, or 0 when the text isn't one whole number.
int hf_parse_double(const void *text, size_t length, double *value);
/// As `hf_parse_double`, without its pickiness: leading blanks, an empty text, overflow, and whatever follows a
/// NUL byte are let pass.
int hf_parse_bound(const void *text, size_t length, double *value);
/// As `hf_parse_bound`, but not what overflows or underflows.
int hf_parse_weight(const void *text, size_t length, double *value);
/// Writes `value` as `%.17g`, infinities as `inf` and `-inf`; gives the length. `room` must be at least 32.
long hf_format_17(double value, void *out, size_t room);
/// Writes `value` as `%f`; gives the length. `room` must be at least `HF_DOUBLE_ROOM`.
long hf_format_6(double value, void *out, size_t room);
/// Writes a finite `value` with 17 decimals, trailing zeros cut, `-0` as `0`; gives the length, or 0 if it
/// doesn't fit.
long hf_format_decimals(double value, void *out, size_t room);
/// 0: not a number, 1: finite, 2: infinite.
int hf_long_double_kind(const void *text, size_t length);
/// Seconds as whole milliseconds, rounded up. 0: not a number, 1: done, 2: negative, 3: too large.
int hf_parse_milliseconds(const void *text, size_t length, long long *value);
/// Writes left + right with 17 decimals, trailing zeros cut; gives the length, or -1 when left isn't a
/// number, -2 when right isn't, -3 when the sum isn't finite (or would not fit).
long hf_add_long_double(const void *left, size_t left_length, const void *right, size_t right_length,
                        void *out, size_t room);

#endif
