//! Checks JSON against a schema (JSON Schema 2020-12, the part that `openapi.json` uses). A keyword that is not
//! known here is a fault: nothing may stand in the document that nobody holds the server to.
use serde_json::{Map, Value};

/// A document with its schemas under `#/components/`.
pub struct Document(pub Value);

impl Document {
    /// What stands at a reference, or the value itself.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(at) => self.0.pointer(&at[1..]).unwrap_or_else(|| panic!("{at} leads nowhere")),
            None => value,
        }
    }

    /// What of `value` is not as `schema` says, each with the way to it.
    pub fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(schema, value, "", &mut faults);
        faults
    }

    fn check(&self, schema: &Value, value: &Value, way: &str, faults: &mut Vec<String>) {
        let schema = self.resolve(schema).as_object().unwrap_or_else(|| panic!("{way}: a schema is an object"));
        for (keyword, wanted) in schema {
            let holds = match keyword.as_str() {
                "description" => true,
                "type" => has_type(wanted, value),
                "enum" => wanted.as_array().expect("a list").contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
                "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > wanted.as_f64().unwrap()),
                "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= wanted.as_u64().unwrap()),
                "maxLength" => value.as_str().is_none_or(|text| text.len() as u64 <= wanted.as_u64().unwrap()),
                "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
                "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap()),
                "oneOf" => self.fitting(wanted, value) == 1,
                "anyOf" => self.fitting(wanted, value) > 0,
                "required" => value.as_object().is_none_or(|object| has_all(wanted, object)),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, item, &format!("{way}/{index}"), faults);
                    }
                    true
                }
                "properties" => {
                    for (name, schema) in wanted.as_object().expect("an object") {
                        if let Some(value) = value.get(name) {
                            self.check(schema, value, &format!("{way}/{name}"), faults);
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let told = schema.get("properties").and_then(Value::as_object);
                    let is_told = |name: &String| told.is_some_and(|told| told.contains_key(name));
                    let others = value.as_object().into_iter().flatten().filter(|(name, _)| !is_told(name));
                    match wanted {
                        Value::Bool(false) => {
                            faults.extend(others.map(|(name, _)| format!("{way}/{name}: not in the document")));
                        }
                        schema => {
                            others.for_each(|(name, value)| {
                                self.check(schema, value, &format!("{way}/{name}"), faults);
                            });
                        }
                    }
                    true
                }
                other => panic!("{way}: nobody checks {other}"),
            };
            if !holds {
                faults.push(format!("{way}: {value} is not as {keyword} {wanted} says"));
            }
        }
    }

    fn fitting(&self, schemas: &Value, value: &Value) -> usize {
        let schemas = schemas.as_array().expect("a list");
        schemas.iter().filter(|schema| self.faults(schema, value).is_empty()).count()
    }
}

fn has_all(required: &Value, object: &Map<String, Value>) -> bool {
    required.as_array().expect("a list").iter().all(|name| object.contains_key(name.as_str().expect("a name")))
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |wanted: &Value| match wanted.as_str().expect("a name") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    };
    wanted.as_array().map_or_else(|| is(wanted), |several| several.iter().any(is))
}
