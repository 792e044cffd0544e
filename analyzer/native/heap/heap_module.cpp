// Doors of the heap part: each entry parses its arguments and calls one function. All of them release the
// GIL while they read or scan, and none keeps anything after it returns.
#include "../buffer.h"
#include "check.h"
#include "chunks.h"
#include "doors.h"
#include "masking.h"

#include <cerrno>

namespace {

const char* spelled(heap::Problem problem) {
    using heap::Problem;
    switch (problem) {
        case Problem::NONE: return "";
        case Problem::READ_FAILED: return "read failed";
        case Problem::EMPTY: return "empty";
        case Problem::NOT_A_SNAPSHOT: return "not a snapshot";
        case Problem::NEWER: return "newer";
        case Problem::HEADER_CUT: return "header cut";
        case Problem::PAYLOAD_CUT: return "payload cut";
        case Problem::NO_END: return "no end";
        case Problem::CHUNK_MAGIC: return "chunk magic";
        case Problem::BAD_NAME: return "bad name";
        case Problem::BAD_DTYPE: return "bad dtype";
        case Problem::BAD_CODEC: return "bad codec";
        case Problem::BAD_SEQUENCE: return "bad sequence";
        case Problem::BAD_LENGTH: return "bad length";
        case Problem::BOMB: return "bomb";
        case Problem::AFTER_END: return "after end";
        case Problem::BAD_CHECKSUM: return "bad checksum";
    }
    return "?";
}

using Number = unsigned long long;

// scan_chunks(fd, file_size) -> (chunks, problem, offset, value)
// chunks: (name, dtype, codec, items, payload_bytes, header_offset) of each chunk before the problem;
// problem "" when the file is whole. Reads headers only. OSError when the file cannot be read.
PyObject* scan_chunks(PyObject*, PyObject* args) {
    int fd;
    Number file_size;
    if (!PyArg_ParseTuple(args, "iK:scan_chunks", &fd, &file_size)) return nullptr;
    heap::Scan scan;
    int error = 0;
    {
        const heap::Unlocked unlocked;
        scan = heap::scan(heap::FileSource(fd), file_size);
        error = errno;
    }
    if (scan.problem == heap::Problem::READ_FAILED) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    PyObject* chunks = PyList_New(static_cast<Py_ssize_t>(scan.chunks.size()));
    if (!chunks) return nullptr;
    Py_ssize_t row = 0;
    for (const heap::Chunk& chunk : scan.chunks) {
        PyObject* entry =
            Py_BuildValue("(s#BBKKK)", chunk.header.name, static_cast<Py_ssize_t>(chunk.name_length()),
                          chunk.header.dtype, chunk.header.codec, static_cast<Number>(chunk.header.items),
                          static_cast<Number>(chunk.header.payload_bytes), static_cast<Number>(chunk.offset));
        if (!entry || PyList_SetItem(chunks, row++, entry) < 0) {
            Py_DECREF(chunks);
            return nullptr;
        }
    }
    return Py_BuildValue("(NsKK)", chunks, spelled(scan.problem), static_cast<Number>(scan.offset),
                         static_cast<Number>(scan.value));
}

// read_chunk(fd, header_offset, out) -> problem
// Fills `out` (u8, as long as the payload) and checks header and payload against the checksum.
PyObject* read_chunk(PyObject*, PyObject* args) {
    int fd;
    Number offset;
    PyObject* out_object;
    if (!PyArg_ParseTuple(args, "iKO:read_chunk", &fd, &offset, &out_object)) return nullptr;
    Buffer<std::uint8_t> out;
    if (!out.take(out_object, true, "out")) return nullptr;
    heap::Problem problem = heap::Problem::HEADER_CUT;
    int error = 0;
    Py_BEGIN_ALLOW_THREADS const heap::FileSource source(fd);
    heap::Chunk chunk{};
    chunk.offset = offset;
    const std::int64_t got = source.read(offset, &chunk.header, sizeof chunk.header);
    if (got < 0)
        problem = heap::Problem::READ_FAILED;
    else if (got == static_cast<std::int64_t>(sizeof chunk.header))
        // The file may have changed since it was scanned: `out` has the size that the scan saw.
        problem = chunk.header.payload_bytes == out.size() ? heap::read_payload(source, chunk, out.data())
                                                           : heap::Problem::BAD_LENGTH;
    error = errno;
    Py_END_ALLOW_THREADS if (problem == heap::Problem::READ_FAILED) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyUnicode_FromString(spelled(problem));
}

PyObject* index_or_none(std::size_t index) {
    if (index == heap::kAllGood) Py_RETURN_NONE;
    return PyLong_FromSize_t(index);
}

// first_not_monotone(ends u64, limit) -> index | None
PyObject* first_not_monotone(PyObject*, PyObject* args) {
    PyObject* ends_object;
    Number limit;
    if (!PyArg_ParseTuple(args, "OK:first_not_monotone", &ends_object, &limit)) return nullptr;
    Buffer<std::uint64_t> ends;
    if (!ends.take(ends_object, false, "ends")) return nullptr;
    std::size_t index;
    Py_BEGIN_ALLOW_THREADS index = heap::first_not_monotone(ends.data(), ends.size(), limit);
    Py_END_ALLOW_THREADS return index_or_none(index);
}

// first_not_below(values u32, limit, exempt) -> index | None; `exempt` is one value allowed besides.
PyObject* first_not_below(PyObject*, PyObject* args) {
    PyObject *values_object, *exempt_object = Py_None;
    Number limit;
    if (!PyArg_ParseTuple(args, "OK|O:first_not_below", &values_object, &limit, &exempt_object)) return nullptr;
    Buffer<std::uint32_t> values;
    if (!values.take(values_object, false, "values")) return nullptr;
    std::size_t index;
    if (exempt_object == Py_None) {
        Py_BEGIN_ALLOW_THREADS index = heap::first_not_below(values.data(), values.size(), limit);
        Py_END_ALLOW_THREADS return index_or_none(index);
    }
    const unsigned long exempt = PyLong_AsUnsignedLong(exempt_object);
    if (exempt == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
    Py_BEGIN_ALLOW_THREADS index =
        heap::first_not_below_or(values.data(), values.size(), limit, static_cast<std::uint32_t>(exempt));
    Py_END_ALLOW_THREADS return index_or_none(index);
}

// first_unknown_kind(kinds u8) -> index | None
PyObject* first_unknown_kind(PyObject*, PyObject* kinds_object) {
    Buffer<std::uint8_t> kinds;
    if (!kinds.take(kinds_object, false, "kinds")) return nullptr;
    std::size_t index;
    Py_BEGIN_ALLOW_THREADS index = heap::first_unknown_kind(kinds.data(), kinds.size());
    Py_END_ALLOW_THREADS return index_or_none(index);
}

// first_bad_label(kinds u8[m], labels u32[m], string_count) -> index | None; the kinds must be known ones.
PyObject* first_bad_label(PyObject*, PyObject* args) {
    PyObject *kinds_object, *labels_object;
    Number string_count;
    if (!PyArg_ParseTuple(args, "OOK:first_bad_label", &kinds_object, &labels_object, &string_count)) return nullptr;
    Buffer<std::uint8_t> kinds;
    Buffer<std::uint32_t> labels;
    if (!kinds.take(kinds_object, false, "kinds") || !labels.take(labels_object, false, "labels")) return nullptr;
    if (kinds.size() != labels.size()) {
        PyErr_SetString(PyExc_ValueError, "kinds and labels differ in length");
        return nullptr;
    }
    std::size_t index;
    Py_BEGIN_ALLOW_THREADS index = heap::first_bad_label(kinds.data(), labels.data(), kinds.size(), string_count);
    Py_END_ALLOW_THREADS return index_or_none(index);
}

// prefix_sum(counts u32[n], out_first u64[n + 1]) -> sum
PyObject* prefix_sum(PyObject*, PyObject* args) {
    PyObject *counts_object, *first_object;
    if (!PyArg_ParseTuple(args, "OO:prefix_sum", &counts_object, &first_object)) return nullptr;
    Ranges ranges;
    Buffer<std::uint32_t> counts;
    Buffer<std::uint64_t> first;
    if (!ranges.take(counts, counts_object, false, "counts") || !ranges.take(first, first_object, true, "out_first"))
        return nullptr;
    if (first.size() != counts.size() + 1) {
        PyErr_SetString(PyExc_ValueError, "out_first must have one item more than counts");
        return nullptr;
    }
    std::uint64_t sum;
    Py_BEGIN_ALLOW_THREADS sum = heap::prefix_sum(counts.data(), counts.size(), first.data());
    Py_END_ALLOW_THREADS return PyLong_FromUnsignedLongLong(sum);
}

// masked_strings(bytes u8, ends u64[n], used u8[n] | None) -> (bytes, ends as bytes) | None: the table without the
// secrets in its strings (`used` ones only), or None when there are none. The ends must be monotone.
PyObject* masked_strings(PyObject*, PyObject* args) {
    PyObject *blob_object, *ends_object, *used_object;
    if (!PyArg_ParseTuple(args, "OOO:masked_strings", &blob_object, &ends_object, &used_object)) return nullptr;
    Buffer<char> blob;
    Buffer<std::uint64_t> ends;
    Buffer<std::uint8_t> used;
    const bool is_some = used_object != Py_None;
    if (!blob.take(blob_object, false, "bytes") || !ends.take(ends_object, false, "ends")) return nullptr;
    if (is_some && !used.take(used_object, false, "used")) return nullptr;
    const std::size_t count = ends.size();
    if (heap::first_not_monotone(ends.data(), count, blob.size()) != heap::kAllGood ||
        (is_some && used.size() != count)) {
        PyErr_SetString(PyExc_ValueError, "ends or used do not belong to these bytes");
        return nullptr;
    }
    heap::MaskedTable table;
    heap::Masked result;
    Py_BEGIN_ALLOW_THREADS result =
        heap::mask_table(blob.data(), ends.data(), is_some ? used.data() : nullptr, count, &table);
    Py_END_ALLOW_THREADS if (result == heap::Masked::NOTHING) Py_RETURN_NONE;
    if (result == heap::Masked::NO_MEMORY) return PyErr_NoMemory();
    return Py_BuildValue("y#y#", table.bytes, static_cast<Py_ssize_t>(table.size),
                         reinterpret_cast<const char*>(table.ends), static_cast<Py_ssize_t>(count * 8));
}

// masked_text(utf8 bytes) -> bytes: the same text without secrets.
PyObject* masked_text(PyObject*, PyObject* text_object) {
    Buffer<char> text;
    if (!text.take(text_object, false, "text")) return nullptr;
    const std::uint64_t end = text.size();
    heap::MaskedTable table;
    const heap::Masked result = heap::mask_table(text.data(), &end, nullptr, 1, &table);
    if (result == heap::Masked::NO_MEMORY) return PyErr_NoMemory();
    if (result == heap::Masked::NOTHING)
        return PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
    return PyBytes_FromStringAndSize(table.bytes, static_cast<Py_ssize_t>(table.size));
}

}  // namespace

PyMethodDef heap_methods[] = {
    {"scan_chunks", heap::or_no_memory<scan_chunks>, METH_VARARGS, nullptr},
    {"read_chunk", read_chunk, METH_VARARGS, nullptr},
    {"first_not_monotone", first_not_monotone, METH_VARARGS, nullptr},
    {"first_not_below", first_not_below, METH_VARARGS, nullptr},
    {"first_unknown_kind", first_unknown_kind, METH_O, nullptr},
    {"first_bad_label", first_bad_label, METH_VARARGS, nullptr},
    {"prefix_sum", prefix_sum, METH_VARARGS, nullptr},
    {"masked_strings", masked_strings, METH_VARARGS, nullptr},
    {"masked_text", masked_text, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
