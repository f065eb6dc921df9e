#include "trainer/data/mapping.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The rest of a file's last page is mapped too, as zeros: reading it must not pass unseen under the
 * sanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define FORBID(address, n) __asan_poison_memory_region(address, n)
#define ALLOW(address, n)  __asan_unpoison_memory_region(address, n)
#else
#define FORBID(address, n) ((void)0)
#define ALLOW(address, n)  ((void)0)
#endif

static size_t whole_pages(int64_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return ((size_t)bytes + page - 1) / page * page;
}

/* Sizes first, so that one range can be kept free for all. */
static int look_at(struct kd_mapping *mapping, const char *path, struct kd_error *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return kd_fail_errno(err, "%s: cannot open the data file", path);
    if (!S_ISREG(info.st_mode))
        return kd_fail(err, "%s: is not a regular file; give the path of a data file", path);
    if (info.st_size == 0)
        return kd_fail(err, "%s: the data file is empty", path);
    struct kd_mapped_file file = {
        .path = kd_strdup(path), .at = (int64_t)mapping->bytes, .bytes = info.st_size};
    kd_arr_push(&mapping->files, file);
    mapping->bytes += whole_pages(info.st_size);
    return 0;
}

static int map_file(struct kd_mapping *mapping, const struct kd_mapped_file *file,
                    struct kd_error *err)
{
    struct stat info;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = -1;
    if (fd < 0)
        return kd_fail_errno(err, "%s: cannot open the data file", file->path);
    if (fstat(fd, &info) < 0 || info.st_size != file->bytes)
        kd_fail(err, "%s: the data file changed while it was opened; wait until it is written",
                file->path);
    else if (mmap(mapping->base + file->at, (size_t)file->bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED,
                  fd, 0) == MAP_FAILED)
        kd_fail_errno(err, "%s: cannot map the data file into memory", file->path);
    else
        status = 0;
    if (status == 0)
        FORBID(mapping->base + file->at + file->bytes,
               whole_pages(file->bytes) - (size_t)file->bytes);
    close(fd);
    return status;
}

/* The commonest mistake of all: the file as it was downloaded. */
static int refuse_compressed(const struct kd_mapping *mapping, size_t i, struct kd_error *err)
{
    static const struct {
        const char *magic, *name, *tool;
        size_t n;
    } kinds[] = {
        {"\x1F\x8B\x08", "gzip", "gunzip (or tar -xzf)", 3},
        {"PK\x03\x04", "zip", "unzip", 4},
        {"BZh91AY&SY", "bzip2", "bunzip2", 10},
        {"\xFD"
         "7zXZ",
         "xz", "unxz", 5},
        {"\x28\xB5\x2F\xFD", "zstd", "unzstd", 4},
    };
    const struct kd_mapped_file *file = &mapping->files.items[i];
    for (size_t k = 0; k < KD_COUNT(kinds); k++)
        if (file->bytes >= (int64_t)kinds[k].n &&
            memcmp(kd_mapping_bytes(mapping, i), kinds[k].magic, kinds[k].n) == 0)
            return kd_fail(err, "%s: is compressed with %s; run %s on it first", file->path,
                           kinds[k].name, kinds[k].tool);
    return 0;
}

static int map_all(struct kd_mapping *mapping, struct kd_error *err)
{
    void *base =
        mmap(NULL, mapping->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return kd_fail_errno(err, "%s: no room for %zu bytes of addresses",
                             mapping->files.items[0].path, mapping->bytes);
    mapping->base = base;
    for (size_t i = 0; i < mapping->files.n; i++)
        if (map_file(mapping, &mapping->files.items[i], err) < 0 ||
            refuse_compressed(mapping, i, err) < 0)
            return -1;
    return 0;
}

int kd_mapping_open(struct kd_mapping *mapping, char *const *paths, size_t n, struct kd_error *err)
{
    *mapping = (struct kd_mapping){0};
    int status = n > 0 ? 0 : kd_fail(err, "there is no data file");
    for (size_t i = 0; status == 0 && i < n; i++)
        status = look_at(mapping, paths[i], err);
    if (status == 0)
        status = map_all(mapping, err);
    if (status < 0)
        kd_mapping_close(mapping);
    return status;
}

void kd_mapping_close(struct kd_mapping *mapping)
{
    if (mapping->base) {
        ALLOW(mapping->base, mapping->bytes);
        munmap(mapping->base, mapping->bytes);
    }
    for (size_t i = 0; i < mapping->files.n; i++)
        free(mapping->files.items[i].path);
    kd_arr_release(&mapping->files);
    *mapping = (struct kd_mapping){0};
}
