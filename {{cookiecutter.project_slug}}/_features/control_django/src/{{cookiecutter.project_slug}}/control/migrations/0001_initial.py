"""The table of pauses."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Create the table."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=16)),
                ("name", models.CharField(max_length=255)),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("by", models.CharField(max_length=255)),
            ],
            options={
                "verbose_name_plural": "queues{{ " and periodic tasks" if plan().features.control_schedule }}",
                "ordering": ("kind", "name"),
                "permissions": (("run_periodic_task", "Can run periodic tasks now"),),
                "default_permissions": ("view", "change"),
                "constraints": [models.UniqueConstraint(fields=("kind", "name"), name="pause_kind_name")],
            },
        ),
    ]
