// Reading PV1.
#include "visit.hpp"

#include "person_name.hpp"
#include "words.hpp"

namespace radscheduler::siu {

namespace {

bool refers(const SiuResource& resource) {
    return resource.segment == "AIP" &&
           (is_referring_role(resource.role.value) || is_referring_role(resource.type_code.value) ||
            is_referring_role(resource.type_text.value));
}

Text referring(const SiuOptions& options, const SegmentPlan& plan, const SiuReading& reading) {
    Text name = xcn_display(plan.pv1, 8);
    if (name.absent() && options.referrer_from_attending) name = xcn_display(plan.pv1, 7);
    if (!name.absent()) return name;
    for (const SiuResource& resource : reading.resources) {
        if (refers(resource)) return resource.name.has_value() ? resource.name : resource.code;
    }
    // Whoever asks for an appointment (ARQ-15) is not for that the referrer.
    if (reading.schedule && !reading.request && !reading.schedule->placer_contact.absent())
        return reading.schedule->placer_contact;
    for (const SegmentFields& order : plan.orders) {
        name = xcn_display(order, 12);
        if (!name.absent()) return name;
    }
    for (const SegmentFields& request : plan.requests) {
        name = xcn_display(request, 16);
        if (!name.absent()) return name;
    }
    return {};
}

} // namespace

std::optional<SiuVisit> read_visit(const Context& context, const SegmentPlan& plan, const SiuReading& reading) {
    SiuVisit visit;
    visit.referring = referring(context.options(), plan, reading);
    if (!plan.pv1.exists()) {
        if (visit.referring.absent()) return std::nullopt;
        return visit;
    }
    const SegmentFields& pv1 = plan.pv1;
    visit.patient_class = pv1.text(2);
    visit.visit_number = pv1.text(19);
    visit.alternate_visit_id = pv1.text(50);
    visit.admission_type = pv1.text(4);
    visit.location.point_of_care = pv1.text(3, 1);
    visit.location.room = pv1.text(3, 2);
    visit.location.bed = pv1.text(3, 3);
    visit.location.facility = pv1.subtext(3, 4, 1);
    return visit;
}

} // namespace radscheduler::siu
