// Reading SCH.
#include "schedule.hpp"

#include "../ascii.hpp"
#include "person_name.hpp"
#include "radscheduler/value.hpp"
#include "time_field.hpp"
#include "words.hpp"

#include <algorithm>

namespace radscheduler::siu {

namespace {

constexpr std::size_t kStatus = 25;
constexpr std::size_t kFirstStatusScan = 12;
constexpr std::size_t kLastStatusScan = 27;
constexpr std::size_t kTqPriority = 6;

CodedText coded(const SegmentFields& fields, std::size_t field) {
    CodedText result;
    result.null = fields.is_null(field);
    if (result.null) return result;
    result.code = fields.text(field, 1);
    result.text = fields.text(field, 2);
    return result;
}

// EI: namespace id, or the universal id where there is none.
Text namespace_of(const SegmentFields& fields, std::size_t field) {
    Text name = fields.text(field, 2);
    return name.has_value() ? name : fields.text(field, 3);
}

void add_unique(std::vector<std::string>& list, std::string value) {
    if (value.empty() || std::find(list.begin(), list.end(), value) != list.end()) return;
    list.push_back(std::move(value));
}

void add_orders(std::vector<std::string>& list, const SegmentFields& fields, std::size_t field) {
    for (std::size_t i = 1; i <= fields.repetitions(field); ++i) {
        std::string number = fields.text(field, 1, i).value;
        if (!is_status_word(number)) add_unique(list, std::move(number)); // a status that stands in SCH-26 is none
    }
}

void read_identifiers(Context& context, const Message& message, const SegmentPlan& plan, SiuSchedule& schedule) {
    const SegmentFields& sch = plan.sch;
    schedule.filler_id = sch.text(2);
    schedule.filler_namespace = namespace_of(sch, 2);
    schedule.placer_id = sch.text(1);
    schedule.placer_namespace = namespace_of(sch, 1);
    if (schedule.filler_id.has_value() || schedule.placer_id.has_value()) return;

    for (const std::string& source : context.options().id_sources) {
        const Result<Path> path = Path::parse(source);
        if (!path) {
            context.warn("BAD_ID_SOURCE", "", "The configured id_source is not a path. " + path.error().text);
        } else if (std::optional<std::string> id = get_text(message, *path)) {
            schedule.filler_id = {false, std::string(trim(*id))};
            schedule.filler_namespace = {};
            if (schedule.filler_id.has_value()) return;
        }
    }
    context.fail("101", "SCH-2",
                 sch.exists() ? "The message has no appointment id: SCH-1 and SCH-2 are empty; send the filler's "
                                "appointment id in SCH-2."
                              : "The message has no SCH segment; send one with the appointment id in SCH-2.");
}

bool coded_urgent(const CodedText& coded) {
    return is_urgency_word(coded.code.value) || is_urgency_word(coded.text.value);
}

// "Priority: S" at the start of a line.
Text priority_in(const Text& notes) {
    constexpr std::string_view kLabel = "PRIORITY";
    std::string_view rest = notes.value;
    while (!rest.empty()) {
        std::string_view line = trim(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
        if (upper(line.substr(0, kLabel.size())) != kLabel) continue;
        line = trim(line.substr(kLabel.size()));
        if (!line.starts_with(':') && !line.starts_with('=')) continue;
        line = trim(line.substr(1));
        const std::size_t end = std::min(line.find_first_of(" \t,;."), line.size());
        if (end > 0) return {false, std::string(line.substr(0, end))};
    }
    return {};
}

Text priority_in_notes(const SegmentPlan& plan) {
    Text priority = priority_in(plan.schedule_notes);
    for (auto part = plan.parts.begin(); priority.absent() && part != plan.parts.end(); ++part)
        priority = priority_in(part->notes);
    return priority.absent() ? priority_in(plan.patient_notes) : priority;
}

Text priority_of(const Context& context, const SegmentPlan& plan, const ScheduleLayout& layout,
                 const SiuSchedule& schedule) {
    for (const SegmentFields& timing : plan.timings) {
        Text priority = timing.text(9);
        if (priority.absent()) priority = timing.text(9, 2);
        if (!priority.absent()) return priority;
    }
    Text priority = plan.sch.text(layout.timing, kTqPriority, layout.repetition);
    if (!priority.absent()) return priority;
    for (const CodedText* source : {&schedule.type, &schedule.reason}) {
        if (coded_urgent(*source)) return is_urgency_word(source->code.value) ? source->code : source->text;
    }
    Text admission = plan.pv1.text(4);
    const std::string code = upper(admission.value);
    if (code == "E" || code == "U") return admission;
    return context.options().priority_notes ? priority_in_notes(plan) : Text{};
}

// What the sender's profile names, then OBR-24 and IPC-5.
Text modality_of(Context& context, const Message& message, const SegmentPlan& plan) {
    const std::string& source = context.options().modality_source;
    if (!source.empty()) {
        const Result<Path> path = Path::parse(source);
        if (!path) {
            context.warn("BAD_MODALITY_SOURCE", "",
                         "The configured modality_source is not a path. " + path.error().text);
        } else if (std::optional<std::string> word = get_text(message, *path)) {
            return {false, std::string(trim(*word))};
        }
    }
    for (const SegmentFields& request : plan.requests) {
        Text section = request.text(24);
        if (section.has_value()) return section;
    }
    Text modality = plan.procedure.text(5);
    return modality.has_value() ? modality : Text{};
}

// AIG-4, AIG-5, RGS-3, SCH-8, SCH-5: codes and texts that say of what kind a scanner, a pool or an appointment is.
std::vector<std::string> modality_words(const SegmentPlan& plan, const ScheduleLayout& layout) {
    constexpr std::size_t kMaxWords = 30; // of no appointment are there more, and each is compared with all
    std::vector<std::string> words;
    const auto add = [&words](const SegmentFields& fields, std::size_t field) {
        for (const std::size_t component : {1U, 2U}) {
            std::string word = fields.text(field, component).value;
            if (words.size() < kMaxWords && !word.empty() && !is_time_shaped(word)) add_unique(words, std::move(word));
        }
    };
    for (const std::size_t field : {4U, 5U}) {
        for (const PlannedSegment& part : plan.parts) {
            if (part.name == "AIG") add(part.fields, field);
        }
    }
    for (const std::string& name : plan.group_names) {
        if (words.size() < kMaxWords) add_unique(words, name);
    }
    for (const std::size_t field : {8U, 5U}) {
        if (!layout.uses(field)) add(plan.sch, field);
    }
    return words;
}

// A field that is a status word and nothing else, or a code with such a text.
bool holds_status(const SegmentFields& sch, std::size_t field) {
    const std::string code = sch.text(field, 1).value;
    const std::string text = sch.text(field, 2).value;
    if (!sch.text(field, 3).absent() && !is_status_word(code)) return false;
    return is_status_word(code) || is_status_word(text);
}

std::size_t status_field(Context& context, const SegmentFields& sch) {
    if (!sch.field(kStatus).empty()) return kStatus;
    for (std::size_t field = kFirstStatusScan; field <= kLastStatusScan; ++field) {
        if (!holds_status(sch, field)) continue;
        const std::string name = "SCH" + std::to_string(field);
        const std::string path = "SCH-" + std::to_string(field);
        if (context.repair("REPAIR_" + name + "_TO_SCH25", path, path + " holds a status word, and SCH-25 is empty",
                           "it was read as the status. Ask the sender to put it into SCH-25.")) {
            return field;
        }
        break;
    }
    return kStatus;
}

// AIS-10 of the first exam that still takes place, else of the first: one that is taken out does not cancel the rest.
std::string service_status(const std::vector<TimedPart>& parts, const std::vector<SiuService>& services) {
    const SiuService* first = nullptr;
    for (const TimedPart& part : parts) {
        if (part.name != "AIS" || part.removed) continue;
        const SiuService& service = services[part.first];
        if (!service.is_out) return service.status.value;
        if (first == nullptr) first = &service;
    }
    return first == nullptr ? std::string() : first->status.value;
}

// The status that all resources share; empty when they differ.
std::string unanimous_status(const std::vector<TimedPart>& parts, const std::vector<SiuResource>& resources) {
    std::string shared;
    for (const TimedPart& part : parts) {
        if (part.name == "AIS" || part.removed) continue;
        const Text& status = resources[part.first].status;
        if (!status.has_value()) continue;
        if (!shared.empty() && upper(shared) != upper(status.value)) return {};
        shared = status.value;
    }
    return shared;
}

} // namespace

SiuSchedule read_schedule(Context& context, const Message& message, const SegmentPlan& plan,
                          const ScheduleLayout& layout) {
    const SegmentFields& sch = plan.sch;
    SiuSchedule schedule;
    read_identifiers(context, message, plan, schedule);
    schedule.occurrence = sch.text(3);
    schedule.visit_group = sch.text(4);
    schedule.parent_placer_id = sch.text(23);
    schedule.parent_filler_id = sch.text(24);
    schedule.event_reason = coded(sch, 6);
    if (!layout.uses(7)) schedule.reason = coded(sch, 7);
    if (!layout.uses(8)) schedule.type = coded(sch, 8);
    schedule.priority = priority_of(context, plan, layout, schedule);
    add_orders(schedule.placer_orders, sch, 26);
    add_orders(schedule.filler_orders, sch, 27);
    for (const SegmentFields& order : plan.orders) {
        add_orders(schedule.placer_orders, order, 2);
        add_orders(schedule.filler_orders, order, 3);
    }
    for (const SegmentFields& request : plan.requests)
        add_orders(schedule.filler_orders, request, 18);
    schedule.modality = modality_of(context, message, plan);
    schedule.modality_words = modality_words(plan, layout);
    if (!layout.uses(12)) schedule.placer_contact = xcn_display(sch, 12);
    schedule.entered_by = xcn_display(sch, 20);
    schedule.notes = plan.schedule_notes;
    for (const SegmentFields& timing : plan.timings) {
        append_note(schedule.notes, timing.whole(10));
        append_note(schedule.notes, timing.whole(11));
    }
    return schedule;
}

void read_status(Context& context, const SegmentPlan& plan, const std::vector<TimedPart>& parts, SiuReading& reading) {
    std::vector<std::string>& status = reading.schedule->status;
    const std::size_t field = status_field(context, plan.sch);
    for (const std::size_t component : {1, 2, 4, 5})
        add_unique(status, plan.sch.text(field, component).value);
    const std::string& event = reading.header.trigger_event;
    if (event >= "S18" && event <= "S22") return; // these tell the status of single parts
    add_unique(status, service_status(parts, reading.services));
    add_unique(status, unanimous_status(parts, reading.resources));
}

} // namespace radscheduler::siu
