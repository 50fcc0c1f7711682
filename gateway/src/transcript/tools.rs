//! The functions that a model may call, as the TypeScript that harmony shows it.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::Tool;

/// The `# Tools` section of the developer message.
pub(super) fn section(tools: &[Tool]) -> String {
    let mut text = String::from("# Tools\n\n## functions\n\nnamespace functions {\n\n");
    for tool in tools {
        comment(&mut text, "", &tool.description);
        let arguments = tool.parameters.as_ref().and_then(properties).filter(|all| !all.is_empty());
        match (&tool.parameters, arguments) {
            (Some(schema), Some(_)) => {
                let _ = writeln!(text, "type {} = (_: {}) => any;\n", tool.name, type_of(schema, 0));
            }
            _ => {
                let _ = writeln!(text, "type {} = () => any;\n", tool.name);
            }
        }
    }
    text + "} // namespace functions"
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// The type that a JSON schema describes; `depth` counts the objects around it. The recursion ends, since
/// a JSON text is read to a depth of 128.
fn type_of(schema: &Value, depth: usize) -> String {
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
    if let Some(alternatives) = alternatives {
        return union(alternatives.iter().map(|schema| type_of(schema, depth)));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return union(values.iter().map(Value::to_string));
    }
    match schema.get("type") {
        Some(Value::Array(names)) => {
            union(names.iter().filter_map(Value::as_str).map(|name| named(name, schema, depth)))
        }
        Some(Value::String(name)) => named(name, schema, depth),
        _ if properties(schema).is_some() => named("object", schema, depth),
        _ => "any".to_owned(),
    }
}

fn named(name: &str, schema: &Value, depth: usize) -> String {
    match name {
        "string" | "boolean" | "number" | "null" => name.to_owned(),
        "integer" => "number".to_owned(),
        "array" => match schema.get("items") {
            Some(items) => array_of(&type_of(items, depth)),
            None => "any[]".to_owned(),
        },
        "object" => properties(schema).map_or_else(|| "object".to_owned(), |all| object(all, schema, depth)),
        _ => "any".to_owned(),
    }
}

fn array_of(item: &str) -> String {
    if item.contains(" | ") { format!("Array<{item}>") } else { format!("{item}[]") }
}

fn union(types: impl Iterator<Item = String>) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for each in types {
        if !distinct.contains(&each) {
            distinct.push(each);
        }
    }
    if distinct.is_empty() { "any".to_owned() } else { distinct.join(" | ") }
}

/// An object's fields, a line each; inner ones are indented with their closing bracket, as in harmony.
fn object(properties: &Map<String, Value>, schema: &Value, depth: usize) -> String {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|each| each == name));
    let indent = "    ".repeat(depth);
    let mut text = String::from("{\n");
    for (name, schema) in properties {
        comment(&mut text, &indent, schema.get("description").and_then(Value::as_str).unwrap_or(""));
        let mark = if is_required(name) { "" } else { "?" };
        let _ = write!(text, "{indent}{name}{mark}: {},", type_of(schema, depth + 1));
        if let Some(default) = schema.get("default") {
            let shown = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            let _ = write!(text, " // default: {}", shown.replace('\n', " "));
        }
        text.push('\n');
    }
    text + &indent + "}"
}

fn comment(text: &mut String, indent: &str, words: &str) {
    for line in words.lines() {
        let _ = writeln!(text, "{indent}// {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str, description: &str, parameters: Option<Value>) -> Tool {
        Tool { name: name.to_owned(), description: description.to_owned(), parameters }
    }

    #[test]
    fn the_example_of_the_format_s_own_description() {
        let weather = json!({
            "type": "object",
            "properties": {
                "location": { "type": "string", "description": "The city and state, e.g. San Francisco, CA" },
                "format": { "type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius" },
            },
            "required": ["location"],
        });
        let tools = [
            tool("get_location", "Gets the location of the user.", None),
            tool("get_current_weather", "Gets the current weather.", Some(weather)),
        ];
        let expected = "# Tools\n\n## functions\n\nnamespace functions {\n\n\
            // Gets the location of the user.\ntype get_location = () => any;\n\n\
            // Gets the current weather.\ntype get_current_weather = (_: {\n\
            // The city and state, e.g. San Francisco, CA\nlocation: string,\n\
            format?: \"celsius\" | \"fahrenheit\", // default: celsius\n}) => any;\n\n\
            } // namespace functions";
        assert_eq!(section(&tools), expected);
    }

    #[test]
    fn schemas_become_types() {
        let cases = [
            (json!({"type": "integer"}), "number"),
            (json!({"type": ["string", "null"]}), "string | null"),
            (json!({"type": "array", "items": {"type": "boolean"}}), "boolean[]"),
            (json!({"type": "array", "items": {"enum": ["a", 1]}}), "Array<\"a\" | 1>"),
            (json!({"type": "array"}), "any[]"),
            (
                json!({"anyOf": [{"type": "number"}, {"type": "integer"}, {"type": "string"}]}),
                "number | string",
            ),
            (json!({"properties": {"a": {"type": "object"}}}), "{\na?: object,\n}"),
            (json!({"type": "unheard of"}), "any"),
            (json!(true), "any"),
            (json!({"enum": []}), "any"),
        ];
        for (schema, expected) in cases {
            assert_eq!(type_of(&schema, 0), expected, "{schema}");
        }
    }

    #[test]
    fn inner_objects_are_indented() {
        let inner = json!({"properties": {"b": {"type": "null", "description": "Deep."}}});
        let schema = json!({"properties": {"a": {"type": "array", "items": inner}}});
        assert_eq!(type_of(&schema, 0), "{\na?: {\n    // Deep.\n    b?: null,\n    }[],\n}");
    }
}
