// The page: a dashboard of graphs in rows, from its JSON and the data of Prometheus, with the components of Grafana.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import {
  applyFieldOverrides,
  createDataFrame,
  createTheme,
  dateTime,
  FieldConfigOptionsRegistry,
  FieldType,
  rangeUtil,
  ThemeContext,
  thresholdsOverrideProcessor,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, Icon, PanelChrome, Text, TimeSeries } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

const COLUMNS = 24; // the grid of Grafana: columns, cell height and spacing
const CELL = 30;
const SPACE = 8;
const WIDTH = 1480;
const SCRAPE_INTERVAL = 15; // seconds; the default of Grafana's data source

// The defaults of a graph.
const DEFAULTS = { color: { mode: 'palette-classic' } };
const CUSTOM = { drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, showPoints: 'auto' };
const LEGEND = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] };

const theme = createTheme({ colors: { mode: 'dark' } });

const at = ({ x, y, w, h }) => ({
  left: (x * (WIDTH + SPACE)) / COLUMNS,
  top: y * (CELL + SPACE),
  width: (w * (WIDTH + SPACE)) / COLUMNS - SPACE,
  height: h * (CELL + SPACE) - SPACE,
});

const seconds = (value) => dateTime(value).valueOf() / 1000;

// Grafana's panel omits NaN and infinity. The component alone would render an empty graph.
const finite = (number) => (Number.isFinite(number) ? number : null);

// Return the values of the dashboard's variables with "All" selected: all values in Prometheus, or `allValue`.
async function fetchVariables({ templating }) {
  const values = {};
  for (const { name, type, query, allValue } of templating.list.filter(({ type }) => type !== 'datasource')) {
    const [, metric, label] = query.match(/^label_values\((\w+)\{?.*, (\w+)\)$/) ?? [];
    if (type !== 'query' || !label) throw new Error(`the variable ${name} is not supported: ${query}`);
    const response = await fetch(`/api/v1/label/${label}/values?${new URLSearchParams({ 'match[]': metric })}`);
    values[name] = allValue ? [allValue] : (await response.json()).data;
  }
  return values;
}

// Add the values of the variables to the panels. Repeat a repeated row and the panels below it for each value.
function repeatPanels(panels, values) {
  const all = Object.fromEntries(Object.entries(values).map(([name, each]) => [name, each.join('|')]));
  const first = panels.findIndex(({ repeat }) => repeat);
  const below = first < 0 ? [] : panels.slice(first);
  const height = Math.max(...below.map(({ gridPos: { y, h } }) => y + h)) - below[0]?.gridPos.y;
  const copies = (values[below[0]?.repeat] ?? []).flatMap((value, number) =>
    below.map((panel) => ({
      ...panel,
      id: `${panel.id} ${value}`,
      title: panel.title.replace(`$${below[0].repeat}`, value),
      gridPos: { ...panel.gridPos, y: panel.gridPos.y + number * height },
      variables: { ...all, [below[0].repeat]: value },
    }))
  );
  return [...panels.slice(0, first < 0 ? undefined : first).map((panel) => ({ ...panel, variables: all })), ...copies];
}

function replaceVariables(expression, variables, step, range) {
  const values = {
    ...variables,
    __interval: `${step}s`,
    __rate_interval: `${Math.max(step + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)}s`,
    __range: `${range}s`,
  };
  return expression.replace(/\$(\w+)|\$\{(\w+)\}/g, (text, plain, braced) => {
    if (!((plain ?? braced) in values)) throw new Error(`${text} is unknown in: ${expression}`);
    return values[plain ?? braced];
  });
}

// Return a frame for each line, like Grafana's data source.
async function queryRange({ refId, expr, legendFormat }, variables, timeRange, width) {
  const step = rangeUtil.calculateInterval(timeRange, width, `${SCRAPE_INTERVAL}s`).intervalMs / 1000;
  const [start, end] = [timeRange.from, timeRange.to].map((time) => Math.floor(seconds(time) / step) * step);
  const query = replaceVariables(expr, variables, step, end - start);
  const response = await fetch(`/api/v1/query_range?${new URLSearchParams({ query, start, end, step })}`);
  const { status, data, error } = await response.json();
  if (status !== 'success') throw new Error(`${error} in: ${query}`);
  return data.result.map(({ metric, values }) => {
    const text = legendFormat === '__auto' ? '' : (legendFormat ?? '');
    const legend = text.replace(/{{\s*(\w+)\s*}}/g, (_, label) => metric[label]);
    const times = values.map(([time]) => 1000 * time);
    return createDataFrame({
      refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: times, config: { interval: 1000 * step } },
        {
          name: 'Value',
          type: FieldType.number,
          labels: metric,
          values: values.map(([, value]) => finite(Number(value))),
          config: legend ? { displayNameFromDS: legend } : {},
        },
      ],
    });
  });
}

// Register the field options in this JSON. Grafana's server registers all options.
function createRegistry({ defaults, overrides }) {
  const own = Object.keys(defaults).filter((name) => name !== 'custom');
  const custom = Object.keys(defaults.custom).map((name) => `custom.${name}`);
  const overridden = overrides.flatMap(({ properties }) => properties.map(({ id }) => id));
  return new FieldConfigOptionsRegistry(() =>
    [...new Set([...own, ...custom, ...overridden])].map((id) => ({
      id,
      name: id,
      path: id.replace(/^custom\./, ''),
      isCustom: id.startsWith('custom.'),
      process: id === 'thresholds' ? thresholdsOverrideProcessor : (value) => value,
      shouldApply: (field) => field.type === FieldType.number,
      settings: {},
    }))
  );
}

async function loadPanel(panel, timeRange) {
  if (panel.type === 'row') return { panel };
  if (panel.type !== 'timeseries') throw new Error(`${panel.title}: a ${panel.type} is not supported`);
  const { width } = at(panel.gridPos);
  const frames = (await Promise.all(panel.targets.map((target) => queryRange(target, panel.variables, timeRange, width)))).flat();
  const { defaults, overrides } = panel.fieldConfig;
  const fieldConfig = { defaults: { ...DEFAULTS, ...defaults, custom: { ...CUSTOM, ...defaults.custom } }, overrides };
  const fieldConfigRegistry = createRegistry(fieldConfig);
  const keepText = (text) => text; // the texts contain no variables
  const options = { data: frames, fieldConfig, fieldConfigRegistry, theme, timeZone: 'utc', replaceVariables: keepText };
  return { panel, frames: applyFieldOverrides(options) };
}

const Row = ({ panel }) => (
  <div style={{ position: 'absolute', ...at(panel.gridPos), display: 'flex', alignItems: 'center', gap: 8 }}>
    <Icon name="angle-down" />
    <Text element="h5">{panel.title}</Text>
  </div>
);

const Graph = ({ panel, frames, timeRange }) => {
  const { left, top, width, height } = at(panel.gridPos);
  return (
    <div style={{ position: 'absolute', left, top }}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(innerWidth, innerHeight) =>
          frames.length ? (
            <TimeSeries
              frames={frames}
              structureRev={1}
              width={innerWidth}
              height={innerHeight}
              timeRange={timeRange}
              timeZone="utc"
              legend={{ ...LEGEND, ...panel.options?.legend }}
              options={{}}
            />
          ) : (
            <div style={{ height: innerHeight, display: 'grid', placeItems: 'center' }}>
              <Text>{panel.fieldConfig.defaults.noValue ?? 'No data'}</Text>
            </div>
          )
        }
      </PanelChrome>
    </div>
  );
};

async function draw({ dashboard, from, to }) {
  await initPluginTranslations('dashboard');
  const timeRange = { from: dateTime(1000 * from), to: dateTime(1000 * to), raw: { from: 'now', to: 'now' } };
  const shown = repeatPanels(dashboard.panels, await fetchVariables(dashboard));
  const panels = await Promise.all(shown.map((panel) => loadPanel(panel, timeRange)));
  const bottom = Math.max(...shown.map(({ gridPos }) => at(gridPos).top + at(gridPos).height));
  const background = theme.colors.background.canvas;
  createRoot(document.getElementById('page')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div id="dashboard" style={{ background, padding: 2 * SPACE, width: WIDTH + 4 * SPACE }}>
        <Text element="h3">{dashboard.title}</Text>
        <div style={{ position: 'relative', height: bottom, marginTop: 2 * SPACE }}>
          {panels.map(({ panel, frames }) =>
            frames ? (
              <Graph key={panel.id} panel={panel} frames={frames} timeRange={timeRange} />
            ) : (
              <Row key={panel.id} panel={panel} />
            )
          )}
        </div>
      </div>
    </ThemeContext.Provider>
  );
  return panels.filter(({ frames }) => frames && !frames.length).map(({ panel }) => panel.title);
}

window.draw = draw;
