#include "trainer/data/npy_header.h"

#include <inttypes.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "kernels/element.h"
#include "trainer/data/table.h"

enum { TEXT_MAX = 65536 };

static const struct {
    const char *descr;
    enum kd_element element;
} types[] = {
    {"|u1", KD_ELEMENT_U8},  {"|b1", KD_ELEMENT_U8},  {"|i1", KD_ELEMENT_I8},
    {"<u2", KD_ELEMENT_U16}, {"<i2", KD_ELEMENT_I16}, {"<u4", KD_ELEMENT_U32},
    {"<i4", KD_ELEMENT_I32}, {"<i8", KD_ELEMENT_I64}, {"<f4", KD_ELEMENT_F32},
    {"<f8", KD_ELEMENT_F64},
};

/* The dictionary's text, NUL-terminated; the caller frees. NULL and err. */
static char *text_of(const char *path, const unsigned char *b, int64_t n, int64_t *end,
                     struct kd_error *err)
{
    static const char magic[] = "\x93NUMPY";
    int64_t begin = n > 6 && b[6] == 1 ? 10 : 12;
    if (n < begin || memcmp(b, magic, 6) != 0)
        return kd_fail(err, "%s: byte 0: is not a .npy file; save one array with numpy.save", path),
               NULL;
    if (b[6] < 1 || b[6] > 3)
        return kd_fail(err,
                       "%s: byte 6: version %d.%d of .npy is not known; save it with "
                       "numpy.save again",
                       path, b[6], b[7]),
               NULL;
    int64_t length = b[8] | b[9] << 8;
    if (b[6] > 1)
        length |= (int64_t)b[10] << 16 | (int64_t)b[11] << 24;
    if (length > TEXT_MAX || begin + length > n)
        return kd_fail(err, "%s: byte 8: a header of %" PRId64 " bytes, but the file has %" PRId64,
                       path, length, n),
               NULL;
    *end = begin + length;
    return kd_strndup((const char *)b + begin, (size_t)length);
}

/* What stands after 'key': in the dictionary, blanks skipped; NULL when the key is missing. */
static const char *value_of(const char *text, const char *key)
{
    char *quoted = kd_format("'%s':", key);
    const char *at = strstr(text, quoted);
    if (at)
        at += strlen(quoted);
    free(quoted);
    while (at && *at == ' ')
        at++;
    return at;
}

static int read_type(const char *path, const char *at, enum kd_element *element,
                     struct kd_error *err)
{
    char descr[16] = "";
    if (at && *at == '\'')
        for (size_t n = 0; at[n + 1] && at[n + 1] != '\'' && n + 1 < sizeof descr; n++)
            descr[n] = at[n + 1];
    for (size_t i = 0; i < KD_COUNT(types); i++)
        if (strcmp(types[i].descr, descr) == 0) {
            *element = types[i].element;
            return 0;
        }
    if (descr[0] == '>')
        return kd_fail(err,
                       "%s: its numbers are big-endian (%s); save it with numpy.save(file, "
                       "array.astype('<%s'))",
                       path, descr, descr + 1);
    return kd_fail(err,
                   "%s: elements of type %.60s are not supported; convert them, for instance with "
                   "array.astype('float32')",
                   path,
                   descr[0] ? descr
                   : at     ? at
                            : "(none)");
}

static int read_order(const char *path, const char *at, struct kd_error *err)
{
    if (at && strncmp(at, "False", 5) == 0)
        return 0;
    if (at && strncmp(at, "True", 4) == 0)
        return kd_fail(err,
                       "%s: is in Fortran order (columns first); save it with numpy.save(file, "
                       "numpy.ascontiguousarray(array))",
                       path);
    return kd_fail(err, "%s: the header does not say fortran_order: True or False; it is damaged",
                   path);
}

/* "(60000, 28, 28)", "(7,)"; every dimension at least 1, the product below 2^48. */
static int read_shape(const char *path, const char *at, struct kd_npy_header *header,
                      struct kd_error *err)
{
    static const int64_t most = INT64_C(1) << 48;
    if (!at || *at++ != '(')
        return kd_fail(err, "%s: the header has no shape; it is damaged", path);
    header->n_elements = 1;
    while (*at && *at != ')') {
        int64_t dim = 0;
        if (*at < '0' || *at > '9')
            return kd_fail(err, "%s: the shape in the header is damaged at \"%.20s\"", path, at);
        for (; *at >= '0' && *at <= '9' && dim < most; at++)
            dim = dim * 10 + (*at - '0');
        at += strspn(at, "L, ");
        if (header->n_dims == KD_NPY_DIMS_MAX)
            return kd_fail(err, "%s: more than %d dimensions; reshape the array", path,
                           KD_NPY_DIMS_MAX);
        if (dim == 0 || header->n_elements > most / dim)
            return kd_fail(err, "%s: dimension %d is %" PRId64, path, header->n_dims, dim);
        header->dims[header->n_dims++] = dim;
        header->n_elements *= dim;
    }
    if (header->n_dims == 0)
        return kd_fail(err, "%s: holds a single number, not an array", path);
    return 0;
}

int kd_npy_header_read(const char *path, const unsigned char *bytes, int64_t n_bytes,
                       struct kd_npy_header *header, struct kd_error *err)
{
    *header = (struct kd_npy_header){0};
    char *text = text_of(path, bytes, n_bytes, &header->bytes, err);
    if (!text)
        return -1;
    int status = 0;
    if (read_type(path, value_of(text, "descr"), &header->element, err) < 0 ||
        read_order(path, value_of(text, "fortran_order"), err) < 0 ||
        read_shape(path, value_of(text, "shape"), header, err) < 0)
        status = -1;
    free(text);
    if (status < 0)
        return -1;
    int64_t promised = header->bytes + header->n_elements * kd_element_bytes(header->element);
    return promised == n_bytes ? 0
                               : kd_fail(err,
                                         "%s: %" PRId64 " bytes, but its header promises %" PRId64
                                         "; is it cut off?",
                                         path, n_bytes, promised);
}
