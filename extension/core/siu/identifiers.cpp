// Reading CX.
#include "identifiers.hpp"

namespace radscheduler::siu {

namespace {

void add_identifiers(const SegmentFields& fields, std::size_t field, std::vector<SiuIdentifier>& identifiers) {
    for (std::size_t i = 1; i <= fields.repetitions(field); ++i) {
        SiuIdentifier identifier;
        identifier.value = fields.text(field, 1, i);
        if (!identifier.value.has_value()) continue;
        identifier.authority = fields.subtext(field, 4, 1, i);
        if (!identifier.authority.has_value()) identifier.authority = fields.subtext(field, 4, 2, i);
        identifier.type = fields.text(field, 5, i);
        identifiers.push_back(std::move(identifier));
    }
}

} // namespace

std::vector<SiuIdentifier> read_identifiers(const SegmentFields& fields, std::size_t list,
                                            std::initializer_list<std::size_t> older) {
    std::vector<SiuIdentifier> identifiers;
    add_identifiers(fields, list, identifiers);
    for (const std::size_t* field = older.begin(); identifiers.empty() && field != older.end(); ++field)
        add_identifiers(fields, *field, identifiers);
    return identifiers;
}

} // namespace radscheduler::siu
