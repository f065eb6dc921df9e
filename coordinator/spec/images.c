/* images.c - looking images up and moving a container's paths to this machine. */
#include "coordinator/spec/images.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

/* Of "host:5000/name:tag@sha256:..." the part before tag and digest. */
static size_t untagged_length(const char *image)
{
    size_t length = strcspn(image, "@");
    const char *slash = memrchr(image, '/', length);
    const char *name = slash ? slash + 1 : image;
    const char *colon = memchr(name, ':', length - (size_t)(name - image));
    return colon ? (size_t)(colon - image) : length;
}

const char *kd_image_target(const struct kd_image_map *images, const char *image,
                            struct kd_error *err)
{
    size_t untagged = untagged_length(image);
    for (int i = 0; images && i < images->n; i++)
        if (strcmp(images->entries[i].image, image) == 0)
            return images->entries[i].target;
    for (int i = 0; images && i < images->n; i++)
        if (strlen(images->entries[i].image) == untagged &&
            strncmp(images->entries[i].image, image, untagged) == 0)
            return images->entries[i].target;
    kd_fail(err,
            "nothing stands in for the image %s: give --image-map %s=host to run its command on "
            "this machine, or --image-map %s=DIR with a folder for its paths",
            image, image, image);
    return NULL;
}

char *kd_image_word(const char *target, const char *word)
{
    const char *path = word;
    if (*word == '-' && strchr(word, '='))
        path = strchr(word, '=') + 1;
    if (strcmp(target, "host") == 0 || *path != '/')
        return kd_strdup(word);
    char *moved = kd_format("%.*s%s%s", (int)(path - word), word, target, path);
    if (access(moved + (path - word), F_OK) == 0)
        return moved;
    free(moved);
    return kd_strdup(word);
}
