// Looking up the keys of a profile.
#include "reading_profile.hpp"

namespace radscheduler::pg {

namespace {

// False when the key is missing. The value points into the container.
bool find(JsonbContainer* profile, std::string_view key, JsonbValue& value) {
    return getKeyJsonValueFromContainer(profile, key.data(), static_cast<int>(key.size()), &value) != nullptr;
}

std::string_view text_of(const JsonbValue& value) {
    if (value.type != jbvString) return {};
    return {value.val.string.val, static_cast<std::size_t>(value.val.string.len)};
}

std::string_view text_at(JsonbContainer* profile, std::string_view key) {
    JsonbValue value;
    return find(profile, key, value) ? text_of(value) : std::string_view{};
}

void add_id_source(ReadingProfile& result, std::string_view path) {
    if (!path.empty() && result.id_source_count < ReadingProfile::kMaxIdSources) {
        result.id_sources[result.id_source_count++] = path;
    }
}

} // namespace

ReadingProfile read_profile(Jsonb* profile) {
    ReadingProfile result;
    if (!JB_ROOT_IS_OBJECT(profile) || JB_ROOT_COUNT(profile) == 0) return result;
    JsonbContainer* const root = &profile->root;
    result.strict = text_at(root, "repair") == "strict";
    result.start_by_service = text_at(root, "start_source") == "service";
    result.location_from_visit = text_at(root, "location_source") == "PV1-3";
    result.referrer_from_attending = text_at(root, "referrer_source") == "PV1-7";
    result.charset = text_at(root, "charset");
    result.modality_source = text_at(root, "modality_source");
    JsonbValue value;
    result.priority_notes = find(root, "priority_notes", value) && value.type == jbvBool && value.val.boolean;
    if (find(root, "id_source", value)) {
        add_id_source(result, text_of(value));
        if (value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data)) {
            for (uint32 i = 0; i < JsonContainerSize(value.val.binary.data); ++i) {
                const JsonbValue* const element = getIthJsonbValueFromContainer(value.val.binary.data, i);
                if (element != nullptr) add_id_source(result, text_of(*element));
            }
        }
    }
    return result;
}

SiuOptions ReadingProfile::options() const {
    SiuOptions options;
    options.lenient = !strict;
    options.start_source = start_by_service ? StartSource::service : StartSource::standard;
    options.location_from_visit = location_from_visit;
    options.referrer_from_attending = referrer_from_attending;
    options.priority_notes = priority_notes;
    options.modality_source = modality_source;
    for (std::size_t i = 0; i < id_source_count; ++i)
        options.id_sources.emplace_back(id_sources[i]);
    return options;
}

} // namespace radscheduler::pg
