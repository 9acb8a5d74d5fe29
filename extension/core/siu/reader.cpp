// The order in which a message is read.
#include "radscheduler/siu/reader.hpp"

#include "appointment_timing.hpp"
#include "facts.hpp"
#include "merges.hpp"
#include "orders.hpp"
#include "patient.hpp"
#include "request.hpp"
#include "resources.hpp"
#include "schedule.hpp"
#include "segment_plan.hpp"
#include "shape_repair.hpp"
#include "visit.hpp"

namespace radscheduler {

SiuReading read_siu(const Message& message, const SiuOptions& options) {
    SiuReading reading;
    siu::Context context(options, reading);
    reading.header = read_header(message, reading.warnings);
    if (!options.lenient && header_shift(message) != 0) {
        context.fail("102", "MSH-8", "MSH-8 holds the message type, which belongs in MSH-9; correct the message.");
    }
    if (reading.header.control_id.empty()) {
        context.fail("101", "MSH-10",
                     "The message has no control id (MSH-10), so it cannot be acknowledged by it; send one.");
    }
    const bool merging = siu::is_merge(reading.header);
    siu::SegmentPlan plan = siu::plan_segments(context, message, merging);
    if (plan.pid.exists()) reading.patient = siu::read_patient(context, plan);

    const bool scheduling =
        reading.header.message_code == "SIU" || (reading.header.message_code.empty() && plan.sch.exists());
    if (scheduling) {
        const siu::ScheduleLayout layout = siu::find_schedule_layout(context, plan.sch);
        reading.schedule = siu::read_schedule(context, message, plan, layout);
        std::vector<siu::TimedPart> parts = siu::read_parts(context, plan, reading);
        siu::read_timing(context, plan, layout, parts, reading);
        siu::read_status(context, plan, parts, reading);
        siu::add_visit_location(context, plan, reading);
        siu::sort_services(reading.services);
    }
    if (reading.header.message_code == "SRM") siu::read_request(context, message, plan, reading);
    reading.visit = siu::read_visit(context, plan, reading);
    if (merging) reading.merges = siu::read_merges(context, message, reading.patient);
    if (siu::is_order(reading.header)) reading.orders = siu::read_orders(context, message);
    if (plan.tells_facts && !merging) reading.facts = siu::read_facts(context, message);
    return reading;
}

} // namespace radscheduler
