// What is written once, behind all rows: types, allocation sites, works, memory, texts.
#include "births/births.h"
#include "walk/snapshot.h"
#include "walk/walk.h"

namespace record {

void Walk::write_sites() {
    if (!births::sites_armed()) return;
    for (std::uint32_t i = 0; i < sites::rows(); i++) {
        const sites::Row row = sites::row(i);
        const sites::Text file = sites::text(row.file), function = sites::text(row.function);
        writer.u32(SITE_FILE, strings.of(file.utf8, file.bytes));
        writer.u32(SITE_LINE, row.line);
        writer.u32(SITE_FUNC, strings.of(function.utf8, function.bytes));
    }
    if (sites::lost()) warn("the table of allocation sites was full: some sites are unknown");
}

void Walk::write_works() {
    const works::Table* const table = works::recorded();
    if (!births::works_armed() || !table) return;
    const bool is_folded = table->row[works::kFolded].begun != 0;
    // Rows are numbered as they are written, also those between the last and the one for all others.
    const std::size_t rows = is_folded ? works::kRows : table->rows;
    for (std::size_t i = 0; i < rows; i++) {
        const works::Row& row = table->row[i];
        writer.u32(WORK_NAME, strings.of(row.name, row.bytes));
        writer.u64(WORK_BEGUN, row.begun);
    }
    if (is_folded) warn("more than 65 000 works were named: all others are counted as one");
}

// The order is that of docs/format.md.
void Walk::write_memory() {
    for (const std::uint64_t figure :
         {block_bytes_, pools_.used, pools_.resident, pools_.pools, shadow::resident_bytes()})
        writer.u64(MEMORY, figure);
}

void Walk::write_texts() {
    Array<std::uint32_t> often;
    texts_.write(writer, input->flags & kFlagValues ? &often : nullptr);
    guarded("the values of texts could not all be read", [&] {
        for (const std::uint32_t id : often) {
            const auto object = static_cast<const Object*>(nodes.address(id));
            const std::uint32_t said = strings.value(object);
            if (!said) continue;
            writer.u32(VALUE_OBJ, id);
            writer.u32(VALUE_STR, said);
        }
    });
}

void Walk::write_tables() {
    write_sites();
    write_works();
    write_memory();
    write_texts();
    for (TypePlan* plan : plans_) {
        std::uint8_t flags = 0;
        if (!plan->type) {
            flags = format::TYPE_SYNTHETIC;
        } else {
            if (plan->type->flags & tpflag::HEAP) flags |= format::TYPE_HEAP;
            if (plan->type->flags & tpflag::HAVE_GC) flags |= format::TYPE_COLLECTED;
            if (plan->type->finalize || plan->type->del) flags |= format::TYPE_FINALIZER;
        }
        std::uint32_t object = plan->type ? nodes.find(plan->type) : format::kNoObject;
        if (census_) object = format::kNoObject;
        writer.u32(TYPE_OBJ, object);
        writer.u32(TYPE_MODULE, plan->module);
        writer.u32(TYPE_NAME, plan->name);
        writer.u8(TYPE_FLAGS, flags);
        if (census_) {
            writer.u64(CENSUS_COUNT, plan->count);
            writer.u64(CENSUS_BYTES, plan->bytes);
        }
    }
}

}  // namespace record
