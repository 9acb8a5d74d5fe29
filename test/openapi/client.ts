// A client generated from the description, as its user would write against it: books, reads, changes. usage: node client.js URL
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const api = createClient<paths>({ baseUrl: process.argv[2] });

const wanted: components["schemas"]["Booking"] = {
    patient_id: "TYPED1", patient_name: "Tycho Typedcase", starts_at: "2031-08-04T10:00:00Z", modality: "MR", duration_minutes: 30,
};
const booked = await api.POST("/api/v1/appointments", { params: { header: { "Idempotency-Key": "typed-1" } }, body: wanted });
if (booked.error) throw new Error(booked.error.detail);
const tag = booked.response.headers.get("ETag") ?? "";

const path = { id: String(booked.data.id) };
const changed = await api.PATCH("/api/v1/appointments/{id}", { params: { path, header: { "If-Match": tag } }, body: { notes: "by a typed client" } });
if (changed.error) throw new Error(changed.error.detail);

const listed = await api.GET("/api/v1/appointments", { params: { query: { date: "2031-08-04", limit: 5 } } });
if (listed.error) throw new Error(listed.error.detail);
const refused = await api.PATCH("/api/v1/appointments/{id}", { params: { path, header: { "If-Match": tag } }, body: { notes: "late" } });
console.log(JSON.stringify({ notes: listed.data.items.map((one) => one.notes), late: refused.error?.code }));

declare const process: { argv: string[] };
