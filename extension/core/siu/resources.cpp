// Reading services and resources.
#include "resources.hpp"

#include "../ascii.hpp"
#include "location.hpp"
#include "person_name.hpp"
#include "words.hpp"

#include <algorithm>

namespace radscheduler::siu {

namespace {

constexpr std::size_t kAction = 2;
constexpr std::size_t kIdentifier = 3;
constexpr std::size_t kGroup = 5;

Text first_valued(const Text& first, const Text& second) {
    return first.has_value() || second.absent() ? first : second;
}

Text action_of(const PlannedSegment& part) {
    Text action = part.fields.text(kAction);
    if (action.absent()) action.value = part.group_action;
    return action;
}

bool is_deleted(const Text& action) {
    return action.value == "D" || action.value == "d"; // HL7 table 0206
}

Text status_of(const PlannedSegment& part, const PartLayout& layout) {
    return first_valued(part.fields.text(layout.status, 1), part.fields.text(layout.status, 2));
}

// Hierarchic designator in a component: namespace, else universal id.
Text designator(const SegmentFields& fields, std::size_t field, std::size_t component, std::size_t repetition) {
    return first_valued(fields.subtext(field, component, 1, repetition),
                        fields.subtext(field, component, 2, repetition));
}

SiuService read_service(const PlannedSegment& part, const PartLayout& layout, const PartTiming& timing) {
    const SegmentFields& fields = part.fields;
    SiuService service;
    service.path = part.path();
    service.group = part.group;
    service.set_id = fields.text(1);
    service.action = action_of(part);
    service.code = fields.text(kIdentifier, 1);
    service.text = fields.text(kIdentifier, 2);
    service.system = fields.text(kIdentifier, 3);
    service.alt_code = fields.text(kIdentifier, 4);
    service.alt_text = fields.text(kIdentifier, 5);
    service.offset_minutes = timing.offset_minutes;
    service.duration_minutes = timing.duration_minutes;
    service.status = status_of(part, layout);
    service.is_out = is_deleted(service.action) || is_closing_word(service.status.value);
    service.notes = part.notes;
    return service;
}

SiuResource resource_base(const PlannedSegment& part, const PartLayout& layout, const PartTiming& timing) {
    const SegmentFields& fields = part.fields;
    SiuResource resource;
    resource.path = part.path();
    resource.segment = part.name;
    resource.group = part.group;
    resource.set_id = fields.text(1);
    resource.action = action_of(part);
    resource.offset_minutes = timing.offset_minutes;
    resource.duration_minutes = timing.duration_minutes;
    resource.status = status_of(part, layout);
    resource.is_out = is_deleted(resource.action) || is_closing_word(resource.status.value);
    resource.notes = part.notes;
    return resource;
}

// The type field, unless it holds a time: a time is never a type.
void read_type(Context& context, const PlannedSegment& part, const PartLayout& layout, const PartTiming& timing,
               SiuResource& resource) {
    const SegmentFields& fields = part.fields;
    if (is_time_shaped(fields.text(layout.type).value)) {
        if (timing.start_field != layout.type) {
            const std::string path = part.path(layout.type);
            context.repair("TYPE_IS_TIME", path, path + " (resource type) holds a date and time", "it was left out.");
        }
        return;
    }
    resource.type_code = fields.text(layout.type, 1);
    resource.type_text = fields.text(layout.type, 2);
}

void add_other_name(SiuResource& resource, Text name) {
    if (name.has_value() && name.value != resource.code.value) resource.also.push_back(std::move(name.value));
}

void set_place(SiuResource& resource, Place place) {
    resource.code = std::move(place.code);
    resource.name = std::move(place.name);
    resource.facility = std::move(place.facility);
    add_other_name(resource, std::move(place.also));
}

SiuResource read_equipment(Context& context, const PlannedSegment& part, const PartLayout& layout,
                           const PartTiming& timing) {
    SiuResource resource = resource_base(part, layout, timing);
    resource.code = part.fields.text(kIdentifier, 1);
    resource.name = part.fields.text(kIdentifier, 2);
    read_type(context, part, layout, timing, resource);
    return resource;
}

SiuResource read_location(Context& context, const PlannedSegment& part, const PartLayout& layout,
                          const PartTiming& timing) {
    const SegmentFields& fields = part.fields;
    SiuResource resource = resource_base(part, layout, timing);
    std::size_t field = kIdentifier;
    const bool shifted =
        fields.field(kIdentifier).empty() && !fields.field(layout.type).empty() && timing.start_field != layout.type;
    if (shifted) {
        const std::string path = part.path(layout.type);
        if (context.repair("REPAIR_AIL4_TO_AIL3", path, "AIL-3 (location) is empty and " + path + " is not",
                           "AIL-4 was read as the location.")) {
            field = layout.type;
        }
    }
    if (field == kIdentifier) read_type(context, part, layout, timing, resource);
    set_place(resource, read_place(fields, field));
    for (std::size_t i = 2; i <= fields.repetitions(field); ++i)
        add_other_name(resource, read_place(fields, field, i).code);
    return resource;
}

// A role word where the identifier belongs, and a degree three components early, as some senders shift XCN.
void repair_person(Context& context, const PlannedSegment& part, std::size_t repetition, PersonName& name,
                   SiuResource& resource) {
    const std::string path =
        part.path(kIdentifier) + (repetition > 1 ? "[" + std::to_string(repetition) + "]" : std::string());
    bool role_found = false;
    if (is_role_word(resource.code.value)) {
        role_found =
            context.repair("REPAIR_AIP3_ROLE", path + ".1", path + ".1 holds a role where an identifier belongs",
                           "it was read as the role (AIP-4), and the person has no identifier.");
        if (role_found) {
            resource.role = resource.code;
            resource.code = {};
        }
    }
    const bool degree_early = !name.degree.has_value() && (is_clear_degree_word(name.middle.value) ||
                                                           (role_found && is_degree_word(name.middle.value)));
    if (degree_early &&
        context.repair("REPAIR_AIP3_DEGREE", path + ".4", path + ".4 holds a degree where a middle name belongs",
                       "it was read as the degree (XCN.7).")) {
        name.degree = name.middle;
        name.middle = {};
    }
}

Text role_of(const PlannedSegment& part, const SiuResource& resource) {
    const bool opaque = all_digits(resource.type_code.value) && resource.type_text.has_value();
    Text typed = opaque ? resource.type_text : first_valued(resource.type_code, resource.type_text);
    if (typed.has_value()) return typed;
    if (resource.role.has_value()) return resource.role;
    const Text group = first_valued(part.fields.text(kGroup, 1), part.fields.text(kGroup, 2));
    return is_time_shaped(group.value) ? Text{} : group;
}

SiuResource read_person(Context& context, const PlannedSegment& part, const PartLayout& layout,
                        const PartTiming& timing, std::size_t repetition) {
    SiuResource resource = resource_base(part, layout, timing);
    if (repetition > 1) resource.path = part.path(kIdentifier) + "[" + std::to_string(repetition) + "]";
    resource.code = part.fields.text(kIdentifier, 1, repetition);
    PersonName name = read_xcn(part.fields, kIdentifier, repetition);
    repair_person(context, part, repetition, name, resource);
    if (repetition == 1) {
        read_type(context, part, layout, timing, resource);
    } else if (!is_time_shaped(part.fields.text(layout.type).value)) {
        resource.type_code = part.fields.text(layout.type, 1);
        resource.type_text = part.fields.text(layout.type, 2);
    }
    resource.role = role_of(part, resource);
    resource.name.value = name.display();
    resource.family = std::move(name.family);
    resource.given = std::move(name.given);
    resource.degree = std::move(name.degree);
    resource.authority = designator(part.fields, kIdentifier, 9, repetition);
    return resource;
}

} // namespace

std::vector<TimedPart> read_parts(Context& context, const SegmentPlan& plan, SiuReading& reading) {
    std::vector<TimedPart> timed;
    timed.reserve(plan.parts.size());
    for (const PlannedSegment& part : plan.parts) {
        const PartLayout& layout = layout_of(part.name);
        TimedPart entry;
        entry.name = part.name;
        entry.group = part.group;
        entry.removed = is_deleted(action_of(part));
        entry.timing = read_part_timing(context, part, layout);
        entry.count = 1;
        if (part.name == "AIS") {
            entry.first = reading.services.size();
            reading.services.push_back(read_service(part, layout, entry.timing));
        } else {
            entry.first = reading.resources.size();
            if (part.name == "AIG") {
                reading.resources.push_back(read_equipment(context, part, layout, entry.timing));
            } else if (part.name == "AIL") {
                reading.resources.push_back(read_location(context, part, layout, entry.timing));
            } else {
                const std::size_t people = std::max<std::size_t>(part.fields.repetitions(kIdentifier), 1);
                for (std::size_t i = 1; i <= people; ++i) {
                    if (i > 1 && part.fields.repetition(kIdentifier, i).empty()) continue;
                    reading.resources.push_back(read_person(context, part, layout, entry.timing, i));
                }
                entry.count = reading.resources.size() - entry.first;
            }
        }
        timed.push_back(std::move(entry));
    }
    return timed;
}

void add_visit_location(const Context& context, const SegmentPlan& plan, SiuReading& reading) {
    if (!context.options().location_from_visit) return;
    for (const SiuResource& resource : reading.resources) {
        if (resource.segment != "AIP" && resource.code.has_value()) return;
    }
    SiuResource resource;
    resource.path = "PV1-3";
    resource.segment = "AIL";
    set_place(resource, read_place(plan.pv1, 3));
    if (resource.code.has_value()) reading.resources.push_back(std::move(resource));
}

void sort_services(std::vector<SiuService>& services) {
    const auto number = [](const SiuService& service) {
        const std::string& id = service.set_id.value;
        return all_digits(id) && id.size() <= 9 ? digits_value(id) : 0;
    };
    if (services.size() < 2) return;
    std::stable_sort(services.begin(), services.end(), [&](const SiuService& a, const SiuService& b) {
        return a.group != b.group ? a.group < b.group : number(a) < number(b);
    });
}

} // namespace radscheduler::siu
