/* text.c - a text as tokens: its bytes, or its characters.
 *
 * A character is a Unicode code point; its number is its place among those that the training text
 * has, in the order of their code points. */
#include <inttypes.h>
#include <string.h>

#include "kernels/element.h"
#include "trainer/data/windows.h"

static const struct kd_option fields[] = {
    {.name = "path", .kind = KD_OPTION_FILE, .required = true, .help = "a text file"},
    {.name = "valPath",
     .kind = KD_OPTION_FILE,
     .help = "another text to validate on, of the same characters; then split.val is unused"},
    {.name = "unit",
     .kind = KD_OPTION_CHOICE,
     .fallback = "character",
     .choices = (const char *const[]){"character", "byte", NULL},
     .help = "what a token is: a character of a UTF-8 text, or a byte of any file"},
    KD_WINDOW_FIELDS,
    {0},
};

enum { N_CODES = 0x110000, N_BYTES = 256 };

/* The characters of a text. */
struct alphabet {
    int32_t *number; /* owned, [N_CODES]: place in the order of code points; -1: not there */
    int64_t n_characters;
};

/* The code point at p and how many bytes it takes; 0: not UTF-8 (RFC 3629). */
static int decode(const unsigned char *p, const unsigned char *end, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
    if (n == 0 || end - p < n)
        return 0;
    *code = n == 1 ? *p : *p & (0x7Fu >> n);
    for (int i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        *code = *code << 6 | (p[i] & 0x3Fu);
    }
    bool is_half = *code >= 0xD800 && *code <= 0xDFFF;
    return *code >= least[n] && *code < N_CODES && !is_half ? n : 0;
}

/* A byte order mark is no part of the text. */
static const unsigned char *text_begin(const struct kd_mapping *mapping)
{
    const unsigned char *bytes = kd_mapping_bytes(mapping, 0);
    bool marked = mapping->files.items[0].bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;
    return bytes + (marked ? 3 : 0);
}

static int fail_at(const struct kd_mapping *mapping, const unsigned char *p, const char *what,
                   struct kd_error *err)
{
    const unsigned char *bytes = kd_mapping_bytes(mapping, 0);
    int64_t line = 1;
    for (const unsigned char *b = bytes; b < p; b++)
        line += *b == '\n';
    return kd_fail(err, "%s:%" PRId64 ": byte %td: %s", mapping->files.items[0].path, line,
                   p - bytes, what);
}

static int alphabet_read(struct alphabet *alphabet, const struct kd_mapping *mapping,
                         struct kd_error *err)
{
    const unsigned char *p = text_begin(mapping);
    const unsigned char *end = kd_mapping_bytes(mapping, 0) + mapping->files.items[0].bytes;
    alphabet->number = KD_NEW_ARRAY(int32_t, N_CODES);
    while (p < end) {
        uint32_t code = 0;
        int n = decode(p, end, &code);
        if (n == 0)
            return fail_at(mapping, p, "is not UTF-8; convert the text, or use unit: byte", err);
        alphabet->number[code] = 1;
        p += n;
    }
    for (int32_t code = 0; code < N_CODES; code++)
        alphabet->number[code] = alphabet->number[code] ? (int32_t)alphabet->n_characters++ : -1;
    return 0;
}

static void put(enum kd_element element, void *tokens, int64_t i, int32_t number)
{
    if (element == KD_ELEMENT_U8)
        ((uint8_t *)tokens)[i] = (uint8_t)number;
    else if (element == KD_ELEMENT_U16)
        ((uint16_t *)tokens)[i] = (uint16_t)number;
    else
        ((uint32_t *)tokens)[i] = (uint32_t)number;
}

/* Number of characters, each as its number in `tokens`, or -1. */
static int64_t number_text(const struct kd_mapping *mapping, const struct alphabet *alphabet,
                           enum kd_element element, void *tokens, struct kd_error *err)
{
    const unsigned char *p = text_begin(mapping);
    const unsigned char *end = kd_mapping_bytes(mapping, 0) + mapping->files.items[0].bytes;
    int64_t count = 0;
    while (p < end) {
        char what[128];
        uint32_t code = 0;
        int n = decode(p, end, &code);
        if (n == 0)
            return fail_at(mapping, p, "is not UTF-8; convert the text, or use unit: byte", err);
        if (alphabet->number[code] < 0) {
            snprintf(what, sizeof what, "U+%04" PRIX32 " is no character of the training text",
                     code);
            return fail_at(mapping, p, what, err);
        }
        put(element, tokens, count++, alphabet->number[code]);
        p += n;
    }
    return count;
}

/* Numbers as narrow as they can be. */
static int take_characters(const struct kd_data_source *source, const struct alphabet *alphabet,
                           const struct kd_mapping *mapping, struct kd_table *table,
                           struct kd_error *err)
{
    table->vocabulary = alphabet->n_characters > 1 ? alphabet->n_characters : 2;
    table->element = table->vocabulary <= UINT8_MAX + 1    ? KD_ELEMENT_U8
                     : table->vocabulary <= UINT16_MAX + 1 ? KD_ELEMENT_U16
                                                           : KD_ELEMENT_U32;
    void *tokens = kd_alloc_array((size_t)mapping->files.items[0].bytes,
                                  (size_t)kd_element_bytes(table->element));
    kd_table_own(table, tokens, 0);
    kd_windows_begin(table, fields, source);
    int64_t n = number_text(mapping, alphabet, table->element, tokens, err);
    if (n < 0)
        return -1;
    table->n = kd_windows_count(table, mapping->files.items[0].path, n, err);
    return table->n < 0 ? -1 : 0;
}

/* The validation text is numbered by the training text's characters. */
static int open_characters(const struct kd_data_source *source, struct kd_table *table,
                           struct kd_error *err)
{
    struct kd_mapping training = {0}, validation = {0};
    struct alphabet alphabet = {0};
    int status = kd_data_map(source, "path", NULL, &training, err);
    if (status == 0)
        status = alphabet_read(&alphabet, &training, err);
    if (status == 0 && source->validation)
        status = kd_data_map(source, "valPath", NULL, &validation, err);
    if (status == 0)
        status = take_characters(source, &alphabet, source->validation ? &validation : &training,
                                 table, err);
    free(alphabet.number);
    kd_mapping_close(&training);
    kd_mapping_close(&validation);
    return status;
}

static int open_bytes(const struct kd_data_source *source, struct kd_table *table,
                      struct kd_error *err)
{
    if (kd_data_map(source, source->validation ? "valPath" : "path", NULL, &table->mapping, err) <
        0)
        return -1;
    table->vocabulary = N_BYTES;
    table->element = KD_ELEMENT_U8;
    kd_windows_begin(table, fields, source);
    const struct kd_mapped_file *file = &table->mapping.files.items[0];
    int64_t n = kd_windows_count(table, file->path, file->bytes, err);
    if (n < 0)
        return -1;
    kd_table_add_part(table, 0, 0, n);
    return 0;
}

static int open_text(const struct kd_data_source *source, struct kd_table *table,
                     struct kd_error *err)
{
    bool bytes = kd_option_choice(fields, source->block, "unit") == 1;
    return (bytes ? open_bytes : open_characters)(source, table, err);
}

const struct kd_data_format kd_data_format_text = {
    .name = "text",
    .summary = "any text as characters or bytes: small language models",
    .fields = fields,
    .validation_file = "valPath",
    .open = open_text,
};
