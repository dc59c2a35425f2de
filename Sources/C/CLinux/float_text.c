#define _GNU_SOURCE
#include "float_text.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hf_parse_double(const void *text, size_t length, double *value) {
    char copy[HF_LONG_DOUBLE_ROOM];
    if (length == 0 || length >= sizeof copy || isspace(*(const unsigned char *)text)) return 0;
    memcpy(copy, text, length);
    copy[length] = 0;
    char *end;
    errno = 0;
    double read = strtod(copy, &end);
    if (end != copy + length || isnan(read)) return 0;
    if (errno == ERANGE && (isinf(read) || read == 0)) return 0;
    *value = read;
    return 1;
}

int hf_parse_bound(const void *text, size_t length, double *value) {
    char copy[HF_LONG_DOUBLE_ROOM];
    if (length >= sizeof copy) return 0;
    memcpy(copy, text, length);
    copy[length] = 0;
    char *end;
    double read = strtod(copy, &end);
    if (*end != 0 || isnan(read)) return 0;
    *value = read;
    return 1;
}

int hf_parse_weight(const void *text, size_t length, double *value) {
    errno = 0;
    return hf_parse_bound(text, length, value) && errno != ERANGE;
}

long hf_format_17(double value, void *out, size_t room) {
    return snprintf(out, room, "%.17g", value);
}

long hf_format_6(double value, void *out, size_t room) {
    return snprintf(out, room, "%f", value);
}

long hf_format_decimals(double value, void *out, size_t room) {
    char *target = out;
    int length = snprintf(target, room, "%.17Lf", (long double)value);
    if (length <= 0 || (size_t)length >= room) return 0;
    while (target[length - 1] == '0') length--;
    if (target[length - 1] == '.') length--;
    if (length == 2 && target[0] == '-' && target[1] == '0') {
        target[0] = '0';
        length = 1;
    }
    return length;
}

static int parse_long(const void *text, size_t length, long double *value) {
    char copy[HF_LONG_DOUBLE_ROOM];
    if (length == 0 || length >= sizeof copy || isspace(*(const unsigned char *)text)) return 0;
    memcpy(copy, text, length);
    copy[length] = 0;
    char *end;
    errno = 0;
    long double read = strtold(copy, &end);
    if (end != copy + length || isnan(read)) return 0;
    if (errno == ERANGE && (isinf(read) || read == 0)) return 0;
    *value = read;
    return 1;
}

int hf_long_double_kind(const void *text, size_t length) {
    long double value;
    if (!parse_long(text, length, &value)) return 0;
    return isinf(value) ? 2 : 1;
}

int hf_parse_milliseconds(const void *text, size_t length, long long *value) {
    long double seconds;
    if (!parse_long(text, length, &seconds)) return 0;
    long double milliseconds = ceill(seconds * 1000);
    if (milliseconds > (long double)LLONG_MAX) return 3;
    if (milliseconds < 0) return 2;
    *value = (long long)milliseconds;
    return 1;
}

long hf_add_long_double(const void *left, size_t left_length, const void *right, size_t right_length,
                        void *out, size_t room) {
    long double a, b;
    if (!parse_long(left, left_length, &a)) return -1;
    if (!parse_long(right, right_length, &b)) return -2;
    long double sum = a + b;
    if (isnan(sum) || isinf(sum)) return -3;
    char *target = out;
    int length = snprintf(target, room, "%.17Lf", sum);
    if (length <= 0 || (size_t)length >= room) return -3;
    while (target[length - 1] == '0') length--;
    if (target[length - 1] == '.') length--;
    if (length == 2 && target[0] == '-' && target[1] == '0') {
        target[0] = '0';
        length = 1;
    }
    return length;
}
