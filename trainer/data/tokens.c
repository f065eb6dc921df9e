/* tokens.c - files of tokens: those that llm.c writes, and plain ones without a header.
 *
 * llm.c's header (Karpathy: llm.c, dataloader.h) is 256 int32: a magic number, a version, the
 * number of tokens, zeros. Magic 20240520, version 1: uint16 tokens (GPT-2); magic 20240801,
 * version 7: uint32 tokens (Llama 3). */
#include <inttypes.h>
#include <string.h>

#include "kernels/element.h"
#include "trainer/data/windows.h"

enum { HEADER_INTS = 256, HEADER_BYTES = 4 * HEADER_INTS };

static const struct kd_option fields[] = {
    {.name = "path",
     .kind = KD_OPTION_FILES,
     .required = true,
     .help = "a .bin file of tokens, a list of them, or a folder with them"},
    {.name = "valPath",
     .kind = KD_OPTION_FILES,
     .help = "the same to validate on; then split.val is unused"},
    {.name = "vocabulary",
     .kind = KD_OPTION_INT,
     .required = true,
     .min = 2,
     .max = 1 << 24,
     .help = "tokens are whole numbers below this one (50257 for GPT-2's)"},
    {.name = "element",
     .kind = KD_OPTION_CHOICE,
     .fallback = "header",
     .choices = (const char *const[]){"header", "uint8", "uint16", "uint32", NULL},
     .help = "header: the files have llm.c's header, which says it; else there is no header and "
             "these are all tokens, little-endian"},
    KD_WINDOW_FIELDS,
    {0},
};

static const struct {
    int32_t magic, version;
    enum kd_element element;
} headers[] = {
    {20240520, 1, KD_ELEMENT_U16},
    {20240801, 7, KD_ELEMENT_U32},
};

/* What a file holds: where its tokens begin, of which type, how many. */
struct content {
    int64_t begin, n;
    enum kd_element element;
};

static int read_plain(const struct kd_mapped_file *file, struct content *content,
                      struct kd_error *err)
{
    int64_t size = kd_element_bytes(content->element);
    content->n = file->bytes / size;
    if (file->bytes % size == 0)
        return 0;
    return kd_fail(err, "%s: %" PRId64 " bytes are not a whole number of %s tokens; is it cut off?",
                   file->path, file->bytes, kd_element_name(content->element));
}

static int read_header(const struct kd_mapped_file *file, const unsigned char *bytes,
                       struct content *content, struct kd_error *err)
{
    int32_t header[3];
    if (file->bytes < HEADER_BYTES)
        return kd_fail(err,
                       "%s: %" PRId64 " bytes are too few for llm.c's header of %d; a file without "
                       "one needs element, such as element: uint16",
                       file->path, file->bytes, HEADER_BYTES);
    memcpy(header, bytes, sizeof header);
    size_t kind = 0;
    while (kind < KD_COUNT(headers) && headers[kind].magic != header[0])
        kind++;
    if (kind == KD_COUNT(headers))
        return kd_fail(err,
                       "%s: byte 0: magic %" PRId32 " is not that of llm.c's token files (20240520 "
                       "or 20240801); a file without a header needs element, such as element: "
                       "uint16",
                       file->path, header[0]);
    if (header[1] != headers[kind].version)
        return kd_fail(err, "%s: byte 4: version %" PRId32 " where magic %" PRId32 " has %" PRId32,
                       file->path, header[1], header[0], headers[kind].version);
    *content = (struct content){HEADER_BYTES, header[2], headers[kind].element};
    int64_t size = kd_element_bytes(content->element);
    int64_t promised = HEADER_BYTES + header[2] * size;
    if (header[2] >= 0 && file->bytes == promised)
        return 0;
    return kd_fail(err,
                   "%s: byte 8: the header promises %" PRId32 " tokens (%" PRId64
                   " bytes in all), the file has %" PRId64 " (%" PRId64 " bytes); is it cut off?",
                   file->path, header[2], promised, (file->bytes - HEADER_BYTES) / size,
                   file->bytes);
}

static int look_at(const struct kd_data_source *source, struct kd_table *table, size_t i,
                   struct content *content, struct kd_error *err)
{
    static const enum kd_element plain[] = {KD_N_ELEMENTS, KD_ELEMENT_U8, KD_ELEMENT_U16,
                                            KD_ELEMENT_U32};
    int choice = kd_option_choice(fields, source->block, "element");
    const struct kd_mapped_file *file = &table->mapping.files.items[i];
    *content = (struct content){.element = plain[choice]};
    if (choice > 0)
        return read_plain(file, content, err);
    return read_header(file, kd_mapping_bytes(&table->mapping, i), content, err);
}

static int check_tokens(const struct kd_table *table, size_t i, const struct content *content,
                        struct kd_error *err)
{
    const unsigned char *tokens = kd_mapping_bytes(&table->mapping, i) + content->begin;
    int64_t at = kd_windows_find_unknown(table, tokens, content->n);
    if (at < 0)
        return 0;
    return kd_fail(err,
                   "%s: byte %" PRId64 ": token %" PRId64 " is %.0f, but vocabulary is %" PRId64
                   "; raise it, or is element wrong?",
                   table->mapping.files.items[i].path,
                   content->begin + at * kd_element_bytes(content->element), at,
                   kd_element_at(content->element, tokens, at), table->vocabulary);
}

static int add_file(const struct kd_data_source *source, struct kd_table *table, size_t i,
                    struct kd_error *err)
{
    struct content content;
    const char *path = table->mapping.files.items[i].path;
    if (look_at(source, table, i, &content, err) < 0)
        return -1;
    if (i == 0) {
        table->element = content.element;
        kd_windows_begin(table, fields, source);
    }
    if (content.element != table->element)
        return kd_fail(err, "%s: holds %s tokens, but %s holds %s", path,
                       kd_element_name(content.element), table->mapping.files.items[0].path,
                       kd_element_name(table->element));
    int64_t n = kd_windows_count(table, path, content.n, err);
    if (n < 0 || (!source->peek && check_tokens(table, i, &content, err) < 0))
        return -1;
    kd_table_add_part(table, i, content.begin, n);
    return 0;
}

static int open_tokens(const struct kd_data_source *source, struct kd_table *table,
                       struct kd_error *err)
{
    if (kd_data_map(source, source->validation ? "valPath" : "path", "*.bin", &table->mapping,
                    err) < 0)
        return -1;
    table->vocabulary = kd_option_int(fields, source->block, "vocabulary");
    for (size_t i = 0; i < table->mapping.files.n; i++)
        if (add_file(source, table, i, err) < 0)
            return -1;
    return 0;
}

const struct kd_data_format kd_data_format_tokens = {
    .name = "tokens",
    .summary = "files of tokens as llm.c writes them, or plain ones: language models",
    .fields = fields,
    .validation_file = "valPath",
    .open = open_tokens,
};
