/* SPDX-License-Identifier: MIT */
/* Any bytes as the file of a provider. Each symbol that is found has a name which lies in the bytes
 * and ends there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/module/elf_symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_symbols symbols;
    const char *fault = NULL;
    char machine[ELF_MACHINE_TEXT];

    if (!elf_symbols_read(data, size, &symbols, &fault)) {
        must(fault != NULL && fault[0] != '\0');
        return 0;
    }
    must(fault == NULL && elf_is(data, size));
    must(elf_machine_name(symbols.machine, machine)[0] != '\0');
    for (size_t i = 0; i < symbols.count; i++) {
        const uint8_t *name = (const uint8_t *)symbols.list[i].name;
        must(name >= data && name < data + size && name[0] != '\0');
        must(memchr(name, '\0', (size_t)(data + size - name)) != NULL);
    }
    elf_symbols_release(&symbols);
    return 0;
}
