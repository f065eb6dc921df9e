#include "coordinator/links.h"

#include <stdbool.h>

void kd_links_set(struct kd_links *links, int i, int j, int score)
{
    kd_assert(i != j && score >= KD_LINK_NEVER && score <= KD_LINK_MOST);
    links->score[i][j] = links->score[j][i] = (int16_t)score;
}

int kd_links_kind(const struct kd_links *links, int i)
{
    for (int j = 0; j < i; j++)
        if (links->score[i][j] != KD_LINK_NEVER)
            return j;
    return i;
}

json_t *kd_links_to_json(const struct kd_links *links, int n)
{
    bool is_blank = true;
    json_t *list = json_array();
    for (int j = 1; j < n; j++)
        for (int i = 0; i < j; i++) {
            json_array_append_new(list, json_integer(links->score[i][j]));
            is_blank = is_blank && links->score[i][j] == 0;
        }
    if (!is_blank)
        return list;
    json_decref(list);
    return NULL;
}

int kd_links_from_json(const json_t *list, int n, struct kd_links *links, struct kd_error *err)
{
    *links = (struct kd_links){0};
    if (list == NULL)
        return 0;
    size_t wanted = n > 1 && n <= KD_LINKS_MAX ? (size_t)n * (size_t)(n - 1) / 2 : 0, at = 0;
    if (!json_is_array(list) || json_array_size(list) != wanted)
        return kd_fail(err, "the links of %d GPUs are %zu scores; here are %zu", n, wanted,
                       json_array_size(list));
    for (int j = 1; j < n; j++)
        for (int i = 0; i < j; i++) {
            const json_t *score = json_array_get(list, at++);
            json_int_t value = json_integer_value(score);
            if (!json_is_integer(score) || value < KD_LINK_NEVER || value > KD_LINK_MOST)
                return kd_fail(err, "the link of GPUs %d and %d is no score from %d to %d", i, j,
                               KD_LINK_NEVER, KD_LINK_MOST);
            kd_links_set(links, i, j, (int)value);
        }
    return 0;
}
