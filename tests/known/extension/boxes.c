/* Two types that hold one object each: one that hides it from the collector, and one that does not. */
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

typedef struct {
    PyObject_HEAD
    PyObject* held;
} Box;

static int box_init(PyObject* self, PyObject* args, PyObject* options) {
    PyObject* held;
    (void)options;
    if (!PyArg_ParseTuple(args, "O", &held)) return -1;
    Py_INCREF(held);
    ((Box*)self)->held = held;
    return 0;
}

static void free_box(PyObject* self) {
    PyTypeObject* const type = Py_TYPE(self);
    freefunc const release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static void opaque_dealloc(PyObject* self) {
    Py_XDECREF(((Box*)self)->held);
    free_box(self);
}

static int box_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Box*)self)->held);
    return 0;
}

static int box_clear(PyObject* self) {
    Py_CLEAR(((Box*)self)->held);
    return 0;
}

static void collected_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    box_clear(self);
    free_box(self);
}

static PyType_Slot opaque_slots[] = {
    {Py_tp_init, box_init}, {Py_tp_dealloc, opaque_dealloc}, {0, NULL}};
static PyType_Spec opaque_spec = {"boxes.OpaqueBox", sizeof(Box), 0, Py_TPFLAGS_DEFAULT, opaque_slots};

static PyType_Slot collected_slots[] = {{Py_tp_init, box_init},
                                        {Py_tp_dealloc, collected_dealloc},
                                        {Py_tp_traverse, box_traverse},
                                        {Py_tp_clear, box_clear},
                                        {0, NULL}};
static PyType_Spec collected_spec = {"boxes.CollectedBox", sizeof(Box), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, collected_slots};

static int add_type(PyObject* module, const char* name, PyType_Spec* spec) {
    PyObject* const type = PyType_FromSpec(spec);
    if (type == NULL) return -1;
    int const status = PyModule_AddObjectRef(module, name, type);
    Py_DECREF(type);
    return status;
}

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "boxes", .m_size = -1};

PyMODINIT_FUNC PyInit_boxes(void) {
    PyObject* const module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    if (add_type(module, "OpaqueBox", &opaque_spec) < 0 || add_type(module, "CollectedBox", &collected_spec) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
