// Sorting segments.
#include "segment_plan.hpp"

#include "../ascii.hpp"

#include <algorithm>

namespace radscheduler::siu {

namespace {

// Bounds that no real appointment reaches; beyond them segments are not read, with a warning.
constexpr std::size_t kMaxParts = 1000;
constexpr std::size_t kMaxOthers = 100;
constexpr int kMaxGroup = 9999;

bool is_part(std::string_view name) {
    return name == "AIS" || name == "AIG" || name == "AIL" || name == "AIP";
}

enum class NoteTarget { schedule, patient, last_part, nothing };

class Planner {
public:
    Planner(Context& context, const Message& message, bool several_patients)
        : context_(context), delimiters_(message.delimiters()), several_patients_(several_patients) {}

    void take(const Segment& segment) {
        const SegmentFields fields(segment.text, delimiters_);
        if (segment.name == "SCH") {
            take_single(plan_.sch, fields, segment);
            note_target_ = NoteTarget::schedule;
        } else if (segment.name == "ARQ") {
            take_single(plan_.request, fields, segment);
            note_target_ = NoteTarget::schedule;
        } else if (segment.name == "APR") {
            take_single(plan_.preferences, fields, segment);
            note_target_ = NoteTarget::schedule;
        } else if (segment.name == "TQ1") {
            take_many(plan_.timings, fields);
            note_target_ = NoteTarget::schedule;
        } else if (segment.name == "PID") {
            take_single(plan_.pid, fields, segment);
            note_target_ = NoteTarget::patient;
        } else if (segment.name == "PV1") {
            take_single(plan_.pv1, fields, segment);
            note_target_ = NoteTarget::patient;
        } else if (segment.name == "RGS") {
            start_group(fields);
        } else if (is_part(segment.name)) {
            take_part(fields, segment);
        } else if (segment.name == "ORC") {
            take_many(plan_.orders, fields);
            note_target_ = NoteTarget::nothing;
        } else if (segment.name == "OBR") {
            take_many(plan_.requests, fields);
            note_target_ = NoteTarget::nothing;
        } else if (segment.name == "IPC") {
            if (!plan_.procedure.exists()) plan_.procedure = fields;
        } else if (segment.name == "NTE") {
            take_note(fields);
        } else if (segment.name == "OBX" || segment.name == "AL1" || segment.name == "DG1") {
            plan_.tells_facts = true;
        }
    }

    SegmentPlan finish() {
        if (overflow_) {
            context_.warn("TOO_MANY_SEGMENTS", "AIS[1]",
                          "The message holds more segments of one kind than any appointment has; the last ones were "
                          "not read.");
        }
        return std::move(plan_);
    }

private:
    void take_single(SegmentFields& slot, const SegmentFields& fields, const Segment& segment) {
        if (!slot.exists()) {
            slot = fields;
            return;
        }
        if (segment.occurrence == 2 && !(several_patients_ && (segment.name == "PID" || segment.name == "PV1"))) {
            const std::string name(segment.name);
            context_.warn("EXTRA_SEGMENT", name + "[2]",
                          "A second " + name + " segment was not read; send one message per appointment.");
        }
    }

    void take_many(std::vector<SegmentFields>& slot, const SegmentFields& fields) {
        if (slot.size() < kMaxOthers) {
            slot.push_back(fields);
        } else {
            overflow_ = true;
        }
    }

    // RGS-1 numbers the group where it is a number not used before; else groups count on.
    void start_group(const SegmentFields& fields) {
        const std::string set_id = fields.text(1).value;
        const bool usable = all_digits(set_id) && set_id.size() <= 4 && digits_value(set_id) > 0 &&
                            std::find(groups_.begin(), groups_.end(), digits_value(set_id)) == groups_.end();
        if (usable) {
            group_ = digits_value(set_id);
        } else {
            const int highest = groups_.empty() ? 0 : *std::max_element(groups_.begin(), groups_.end());
            group_ = std::min(highest + 1, kMaxGroup);
        }
        if (groups_.size() < kMaxParts) groups_.push_back(group_);
        group_action_ = fields.text(2).value;
        for (const std::size_t component : {1U, 2U}) {
            std::string name = fields.text(3, component).value;
            if (!name.empty() && plan_.group_names.size() < kMaxOthers) plan_.group_names.push_back(std::move(name));
        }
        note_target_ = NoteTarget::schedule;
    }

    void take_part(const SegmentFields& fields, const Segment& segment) {
        if (plan_.parts.size() >= kMaxParts) {
            overflow_ = true;
            note_target_ = NoteTarget::nothing;
            return;
        }
        PlannedSegment& part = plan_.parts.emplace_back();
        part.name = segment.name;
        part.occurrence = segment.occurrence;
        part.group = group_;
        part.group_action = group_action_;
        part.fields = fields;
        note_target_ = NoteTarget::last_part;
    }

    Text* note_slot() {
        switch (note_target_) {
        case NoteTarget::schedule:
            return &plan_.schedule_notes;
        case NoteTarget::patient:
            return &plan_.patient_notes;
        case NoteTarget::last_part:
            return &plan_.parts.back().notes;
        case NoteTarget::nothing:
            break;
        }
        return nullptr;
    }

    void take_note(const SegmentFields& fields) {
        Text* const slot = note_slot();
        if (slot == nullptr) return;
        for (std::size_t i = 1; i <= fields.repetitions(3); ++i)
            append_note(*slot, fields.whole(3, i));
    }

    Context& context_;
    Delimiters delimiters_;
    bool several_patients_;
    SegmentPlan plan_;
    NoteTarget note_target_ = NoteTarget::schedule;
    bool overflow_ = false;
    int group_ = 1;
    std::string group_action_;
    std::vector<int> groups_;
};

} // namespace

void append_note(Text& notes, const Text& text) {
    if (text.null) {
        if (notes.value.empty()) notes.null = true;
        return;
    }
    if (!text.has_value()) return;
    if (!notes.value.empty()) notes.value.push_back('\n');
    notes.value += text.value;
    notes.null = false;
}

SegmentPlan plan_segments(Context& context, const Message& message, bool several_patients) {
    Planner planner(context, message, several_patients);
    SegmentCursor cursor = message.segments();
    bool bad_name_seen = false;
    for (Segment segment; cursor.next(segment);) {
        if (segment.name == "MSH" && segment.occurrence == 2) {
            context.warn("EXTRA_SEGMENT", "MSH[2]", "A second message follows in the same text; it was not read.");
            break;
        }
        if (!segment.well_named && !bad_name_seen) {
            bad_name_seen = true;
            context.warn("BAD_SEGMENT_NAME", "",
                         "A line at byte " + std::to_string(segment.offset) +
                             " does not begin with a segment name; it was not read. Line breaks inside a field must "
                             "be escaped as \\.br\\.");
        }
        planner.take(segment);
    }
    return planner.finish();
}

} // namespace radscheduler::siu
