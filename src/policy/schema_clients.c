/* SPDX-License-Identifier: MIT */
/* Reads `clients:` into the settings of a load: what each provider may do with the client of its
 * request. Entries of several files follow one another, as rules do: the first that fits counts. */
#include "policy/schema.h"

const struct schema_word schema_client_words[] = {{"impersonate", DRAFT_MAY_IMPERSONATE},
                                                  {"identify", DRAFT_MAY_IDENTIFY},
                                                  {"nothing", DRAFT_MAY_NOTHING},
                                                  {NULL, 0}};

static void read_provider(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_client *client = target;

    client->providers = schema_read_providers(reader, node);
}

static void read_may(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_client *client = target;
    unsigned may;

    if (schema_read_word(reader, node, "value of may", schema_client_words, &may)) {
        client->may = may;
    }
}

/* Room for all of them is taken at the first, so that the array never moves. */
static struct draft_client *next_entry(const struct reader *reader, const struct node *node)
{
    struct load *load = reader->load;

    if (load->settings.client_count == DRAFT_MAX_CLIENTS) {
        if (!load->clients_full) {
            schema_value_error(reader, node,
                               "more than %d entries of clients; put alternatives into one entry",
                               DRAFT_MAX_CLIENTS);
        }
        load->clients_full = true;
        return NULL;
    }
    if (load->clients == NULL) {
        load->clients = schema_take(reader, DRAFT_MAX_CLIENTS, sizeof(*load->clients));
        load->settings.clients = load->clients;
    }
    return load->clients != NULL ? &load->clients[load->settings.client_count++] : NULL;
}

/* Both keys are needed: what is left out would have to be guessed, and "*" is every provider. */
static void read_client(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"provider", true, read_provider},
        {"may", true, read_may},
        {NULL, false, NULL},
    };
    struct draft_client *client = next_entry(reader, node);
    (void)target;

    if (client == NULL) {
        return;
    }
    *client = (struct draft_client){.may = DRAFT_MAY_NOTHING};
    schema_read_place(reader, node->kind == NODE_MAP && node->first != NULL ? node->first : node,
                      &client->place);
    schema_read_map(reader, node, "an entry of clients", keys, client);
}

/* In the order of the file: the first one that fits the provider counts. */
void schema_read_clients(const struct reader *reader, const struct node *node, void *target)
{
    schema_read_items(reader, node, "clients", read_client, target);
}
