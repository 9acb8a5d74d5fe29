// The page that Prometheus reads, family by family. For the files that fill it (obs/*metrics.cpp).
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>

#include "obs/counter.hpp"

namespace radscheduler::sidecar {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

struct Page {
    std::vector<MetricFamily> families;

    MetricFamily& family(std::string name, std::string help, MetricType type) {
        MetricFamily made;
        made.name = std::move(name);
        made.help = std::move(help);
        made.type = type;
        families.push_back(std::move(made));
        return families.back();
    }
    static ClientMetric labelled(const Labels& labels) {
        ClientMetric metric;
        for (const auto& [name, value] : labels) {
            ClientMetric::Label label;
            label.name = name;
            label.value = value;
            metric.label.push_back(std::move(label));
        }
        return metric;
    }
    static void value(MetricFamily& family, const Labels& labels, double number) {
        auto metric = labelled(labels);
        if (family.type == MetricType::Counter) {
            metric.counter.value = number;
        } else {
            metric.gauge.value = number;
        }
        family.metric.push_back(std::move(metric));
    }
    void counter(std::string name, std::string help, const Counter& counter) {
        value(family(std::move(name), std::move(help), MetricType::Counter), {}, static_cast<double>(counter.value()));
    }
    // A histogram.
    void durations(std::string name, std::string help, const Durations& durations) {
        add_durations(family(std::move(name), std::move(help), MetricType::Histogram), {}, durations);
    }
    static void add_durations(MetricFamily& histogram, const Labels& labels, const Durations& durations) {
        auto metric = labelled(labels);
        std::uint64_t below = 0;
        for (std::size_t i = 0; i <= Durations::bounds.size(); ++i) {
            below += durations.count(i);
            ClientMetric::Bucket bucket;
            bucket.cumulative_count = below;
            bucket.upper_bound =
                i < Durations::bounds.size() ? Durations::bounds[i] : std::numeric_limits<double>::infinity();
            metric.histogram.bucket.push_back(bucket);
        }
        metric.histogram.sample_count = below;
        metric.histogram.sample_sum = durations.sum();
        histogram.metric.push_back(std::move(metric));
    }
    void gauge(std::string name, std::string help, double number) {
        value(family(std::move(name), std::move(help), MetricType::Gauge), {}, number);
    }
};

// Each fills in its part.
class HttpCounters;
void add_http(Page& page, const HttpCounters& counters);
struct WorkState;
struct WorkCounters;
void add_process(Page& page);
void add_work(Page& page, const WorkCounters& counters, const WorkState& state);

} // namespace radscheduler::sidecar
